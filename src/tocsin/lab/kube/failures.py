"""What the API server refuses, in the words and the Status form of the real one.

ApiError                 an answer that is a Status of failure
"""

from tocsin.lab.errors import LabError
from tocsin.lab.kube.objects import Object


class ApiError(LabError):
    """A refusal: HTTP code, Kubernetes' reason, the message, and details where kubectl reads them."""

    def __init__(self, code: int, reason: str, message: str, *, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details or {}

    def status(self) -> Object:
        """The body of the answer."""
        body: Object = {"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure"}
        body |= {"message": str(self), "reason": self.reason, "code": self.code}
        return body | ({"details": self.details} if self.details else {})


def not_found(resource: str, name: str, *, kind: str) -> ApiError:
    """`resource` is the plural with its group: `deployments.apps`."""
    plural, _, group = resource.partition(".")
    details = {"name": name, "kind": plural} | ({"group": group} if group else {})
    return ApiError(404, "NotFound", f'{resource} "{name}" not found', details=details)


def forbidden(user: str, verb: str, resource: str, *, name: str, namespace: str, sub: str = "") -> ApiError:
    """What RBAC answers; `name` is empty for a list, `namespace` for a resource of the whole cluster."""
    plural, _, group = resource.partition(".")
    subject = f'{resource} "{name}"' if name else resource
    asked = f"{plural}/{sub}" if sub else plural
    scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    message = f'{subject} is forbidden: User "{user}" cannot {verb} resource "{asked}" in API group "{group}" {scope}'
    details = {"kind": plural} | ({"name": name} if name else {}) | ({"group": group} if group else {})
    return ApiError(403, "Forbidden", message, details=details)


def unauthorized() -> ApiError:
    """No credential, or one that nobody knows."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def bad_request(message: str) -> ApiError:
    """A request that makes no sense."""
    return ApiError(400, "BadRequest", message)


def invalid(resource: str, name: str, *, kind: str, problem: str) -> ApiError:
    """An object that may not be as it was sent."""
    group = resource.partition(".")[2]
    message = f'{kind}{"." + group if group else ""} "{name}" is invalid: {problem}'
    return ApiError(422, "Invalid", message, details={"name": name, "kind": kind, "group": group})


def conflict(resource: str, name: str) -> ApiError:
    """The object has changed since it was read."""
    text = "the object has been modified; please apply your changes to the latest version and try again"
    return ApiError(409, "Conflict", f'Operation cannot be fulfilled on {resource} "{name}": {text}')


def exists(resource: str, name: str) -> ApiError:
    """Created once too often."""
    return ApiError(409, "AlreadyExists", f'{resource} "{name}" already exists')


def unsupported_media(content_type: str) -> ApiError:
    """A body in a form that is not read here."""
    known = "accepted media types include: application/json"
    message = f"the body of the request was in an unknown format - {known} ({content_type})"
    return ApiError(415, "UnsupportedMediaType", message)


def no_such_resource() -> ApiError:
    """An address that means nothing."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")
