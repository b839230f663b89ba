"""The pages that people see: server-rendered, useful without JavaScript, kept fresh by htmx and server-sent events."""
