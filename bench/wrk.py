"""Load from outside Python: wrk posting alerts, of which nineteen in twenty are copies of ones it has sent before."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from msgspec import Struct

ABSENT = "wrk is not installed: apt-get install wrk"
_SCRIPT = """\
local n, new = 0, 0
local function alert(pod)
  return string.format('{"status":"firing","labels":{"alertname":"HighErrorRate","service":"service-%d",' ..
    '"severity":"critical","pod":"pod-%s"},' ..
    '"annotations":{"summary":"More than 5 %% of the requests to pod-%s fail"},' ..
    '"startsAt":"2026-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z",' ..
    '"generatorURL":"http://prometheus.example.com/graph"}', @SERVICE@, pod, pod)
end
local known = {}
function init()
  for body = 0, 199 do
    local alerts = {}
    for i = 1, @EACH@ do alerts[i] = alert(tostring((body * @EACH@ + i) % 1000)) end
    known[body] = alerts
  end
end
function request()
  n = n + 1
  local alerts = {unpack(known[n % 200])}
  for i = 1, @EACH@ do
    if (n * @EACH@ + i) % 20 == 0 then new = new + 1; alerts[i] = alert('new-' .. new) end
  end
  local body = '{"version":"4","groupKey":"{}","status":"firing","alerts":[' .. table.concat(alerts, ',') .. ']}'
  return wrk.format('POST', '@PATH@', {['Content-Type'] = 'application/json'}, body)
end
"""
_TIMES = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class Load(Struct, frozen=True):
    """Requests a second, and what they took in milliseconds."""

    rate: float
    p50: float
    p99: float


def present() -> bool:
    return shutil.which("wrk") is not None


def load(port: int, path: str, *, each: int, connections: int = 64, seconds: int = 8) -> Load:
    """Posts bodies of `each` alerts for so long. Raises RuntimeError when any answer was no 2xx."""
    script = _SCRIPT.replace("@EACH@", str(each)).replace("@PATH@", path).replace("@SERVICE@", "#pod % 5")
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        file = Path(folder) / "load.lua"
        file.write_text(script, encoding="ascii")
        asked = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "--timeout", "20s", "-s", str(file)]
        said = subprocess.run(
            [*asked, f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True, timeout=seconds + 60
        ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"not every request was taken:\n{said}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if rate is None:
        raise RuntimeError(f"wrk said something else:\n{said}")
    return Load(float(rate[1]), _percentile(said, "50%"), _percentile(said, "99%"))


def _percentile(said: str, which: str) -> float:
    found = re.search(rf"{which}\s+([\d.]+)(us|ms|s|m)", said)
    return float(found[1]) * _TIMES[found[2]] if found else 0.0
