"""Whether SQL only reads: SELECT, SHOW and EXPLAIN of known functions; all else changes the database.

Looks at words, not at grammar: whatever could hide a word from it (comments, dollar quotes, backslashes in strings)
counts as a change.
"""

from __future__ import annotations

import re

from tocsin.runbook.shell.model import Classification
from tocsin.runbook.shell.options import names
from tocsin.runbook.shell.verdicts import change, destructive, read

_STARTS = {"select", "show", "explain", "with", "table", "values", "describe", "desc"}
_MODIFIES = {
    "insert", "update", "delete", "merge", "truncate", "drop", "alter", "create", "grant", "revoke", "copy", "call",
    "do", "vacuum", "reindex", "cluster", "refresh", "comment", "reassign", "import", "load", "replace", "rename",
    "kill", "flush", "purge", "reset", "shutdown", "optimize", "repair", "begin", "commit", "rollback", "prepare",
    "execute", "security", "notify", "discard", "checkpoint",
}  # fmt: skip
_CHANGES = {
    "into",
    "analyze",
    "analyse",
    "lock",
    "share",
    "set",
    "outfile",
    "dumpfile",
    "handler",
    "listen",
    "procedure",
}
# Words that may stand before an opening bracket without being a function.
_KEYWORDS = names(
    "in exists any all some values over filter within and or not as from where on using select then when else "
    "case distinct partition order group by having limit offset union intersect except join lateral with "
    "recursive materialized between like ilike is null interval array row returns set only rollup cube sets "
    "grouping numeric decimal varchar char character bit timestamp timestamptz time float double precision "
    "explain verbose costs format end similar to at zone"
)
_FUNCTIONS = names(
    "count sum avg min max now age extract date_part date_trunc coalesce nullif greatest least round floor ceil "
    "ceiling abs trunc mod power sqrt length char_length octet_length lower upper initcap left right substring "
    "substr position strpos replace regexp_replace regexp_matches regexp_match split_part trim btrim ltrim rtrim "
    "lpad rpad concat concat_ws quote_ident to_char to_timestamp to_date to_number cast convert current_database "
    "current_schema current_setting version string_agg array_agg json_agg jsonb_agg json_build_object "
    "jsonb_build_object row_to_json to_json to_jsonb bool_and bool_or every row_number rank dense_rank ntile lag "
    "lead first_value last_value percentile_cont percentile_disc stddev variance unnest array_length cardinality "
    "array_to_string generate_series date date_add date_sub datediff timestampdiff date_format from_unixtime "
    "unix_timestamp curdate curtime sysdate if ifnull isnull group_concat json_extract clock_timestamp "
    "statement_timestamp transaction_timestamp pg_size_pretty pg_database_size pg_total_relation_size "
    "pg_relation_size pg_table_size pg_indexes_size pg_tablespace_size pg_column_size pg_is_in_recovery "
    "pg_is_wal_replay_paused pg_last_xact_replay_timestamp pg_last_wal_receive_lsn pg_last_wal_replay_lsn "
    "pg_current_wal_lsn pg_wal_lsn_diff pg_blocking_pids pg_postmaster_start_time pg_conf_load_time "
    "pg_backend_pid pg_get_indexdef pg_get_constraintdef pg_get_viewdef pg_get_expr pg_get_userbyid "
    "pg_stat_get_activity pg_encoding_to_char obj_description col_description format_type to_regclass "
    "has_table_privilege inet_server_addr inet_server_port txid_current_snapshot"
)
_META = re.compile(r"\\(?:d[a-zA-Z]*[+S]*|l\+?|conninfo|x|timing|dt?\+?)(?:\s+[\w.*\"]+)?")
_HIDES = re.compile(r"--|/\*|\$\w*\$|#|\"\s*\(|`\s*\(|[\ue000\ue001\x00]")
_STRING = re.compile(r"'(?:[^'\\]|'')*'")
_CALL = re.compile(r"([\w.]+)\s*\(")


def judge_sql(text: str) -> Classification:
    """The class of the statements of a text, for PostgreSQL and MySQL alike."""
    text = re.sub(r"\\G\s*$", ";", text.strip())
    if _META.fullmatch(text):
        return read("a psql command that only shows")
    bare = _STRING.sub("''", text)
    if "\\" in text or _HIDES.search(bare) or bare.count("'") % 2:
        return _by_words(bare) or change("the SQL has parts that cannot be told from the text")
    statements = [part.strip() for part in bare.split(";") if part.strip()]
    if not statements:
        return change("there is no SQL in the text")
    for statement in statements:
        verdict = _by_words(statement) or _statement(statement)
        if verdict is not None:
            return verdict
    return read("the SQL only selects")


def _statement(statement: str) -> Classification | None:
    """Why a statement without a modifying word still does not only read; None when it does."""
    words = re.findall(r"[a-z_]\w*", statement.lower())
    if not words or words[0] not in _STARTS or not re.match(r"[\s(]*[a-z]", statement.lower()):
        return destructive(f"the SQL is not a SELECT, SHOW or EXPLAIN but {words[0].upper() if words else 'unknown'}")
    if found := sorted(_CHANGES.intersection(words)):
        return change(f"the SQL says {found[0].upper()}, which may write, lock or run")
    for name in _CALL.findall(statement.lower()):
        plain = name.removeprefix("pg_catalog.")
        if plain not in _FUNCTIONS and plain not in _KEYWORDS:
            return change(f"the SQL calls {name}(), which is not known to only read")
    return None


def _by_words(bare: str) -> Classification | None:
    words = re.findall(r"[a-z_]\w*", bare.lower())
    for word in words:
        if word in _MODIFIES and not (word == "replace" and re.search(r"\breplace\s*\(", bare.lower())):
            return destructive(f"the SQL says {word.upper()}")
        if word in ("pg_terminate_backend", "pg_cancel_backend", "lo_unlink", "pg_drop_replication_slot"):
            return destructive(f"{word}() ends or removes what it names")
    return None
