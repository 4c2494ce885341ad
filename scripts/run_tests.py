"""Run the whole test suite: in parallel where there are cores, each file whole in one worker.

pytest's own closing line is the last thing printed, so that a build server can read it.
"""

import os
import subprocess
import sys

from setup import ROOT, VENV

# Half of a run is waiting for real processes and timers, so one worker more than there are cores. The suite
# starts databases, brokers and browsers beside each worker: more workers than this do not pay.
WORKERS_MAX = 4


def main() -> int:
    """Run pytest with the arguments given; return its exit code."""
    workers = min((os.cpu_count() or 1) + 1, WORKERS_MAX)
    parallel = ["-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder"]
    pytest = [str(VENV / "bin" / "python"), "-m", "pytest", "-q", "--durations", "15"]
    return subprocess.run([*pytest, *parallel, *sys.argv[1:]], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
