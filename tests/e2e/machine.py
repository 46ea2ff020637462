"""A Debian machine with systemd of its own: a container that boots, with no network but its loopback.

What it changes is in memory and gone with it; its disk (build/machine) stays as machine.sh made it.
"""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from frames import ROOT
from harness import NO_ROOT, Process, wait_until

DISK = ROOT / "build/machine"
CGROUPS = [f"/sys/fs/cgroup{x}" for x in ("", "/systemd", "/unified") if os.path.exists(f"/sys/fs/cgroup{x}/cgroup.procs")]


def needs():
    """Skip where there can be no such machine."""
    if os.geteuid() != 0:
        raise unittest.SkipTest(NO_ROOT + "only root can boot a container")
    for program in ("systemd-nspawn", "debootstrap"):
        if not shutil.which(program):
            raise unittest.SkipTest(f"there is no {program}")
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False).returncode != 0:
        raise unittest.SkipTest(NO_ROOT + "no namespaces can be made here")
    made = subprocess.run([ROOT / "tests/e2e/machine.sh", DISK], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise AssertionError(made.stdout[-2000:] + made.stderr[-2000:])


def children(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return []


class Machine:
    def __init__(self, world, name, *binds):
        """binds: folders that it sees at the same place, to read."""
        # A control group of its own: systemd in it takes its whole tree.
        self.groups = [f"{c}/zaehlwerk-{os.getpid()}-{name}" for c in CGROUPS]
        enter = "".join(f"mkdir {g} && echo $$ >{g}/cgroup.procs; " for g in self.groups)
        # In a process namespace, all of which dies with its first process, and that with us.
        nspawn = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--",
                  "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--volatile=overlay", "--boot",
                  f"--directory={DISK}", f"--machine=zw-{os.getpid()}", *(f"--bind-ro={b}" for b in binds)]  # fmt: skip
        self.process = Process(name, ["sh", "-c", enter + 'exec "$@"', "sh", *nspawn],
                               {"SYSTEMD_NSPAWN_LOCK": "0"}, world.path)  # several may have one disk: nobody writes to it
        world.closing.callback(self.close)
        self.leader = wait_until(self.find_leader, "the machine begins to boot")
        wait_until(lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"), "the machine is up")

    def find_leader(self):
        """Its process 1, as seen from here."""
        if not self.process.alive():
            raise AssertionError(self.process.log())
        for nspawn in children(self.process.pid):
            for pid in children(nspawn):
                if re.search(r"^NSpid:.*\t1$", pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8"), re.M):
                    return int(pid)
        return None

    def run(self, *command, check=True, text=None):
        """Run a command in it, as root."""
        done = subprocess.run(
            ["nsenter", f"--target={self.leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--",
             "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", 'cd / && exec "$@"', "sh", *map(str, command)],
            input=text, capture_output=True, text=True, check=False, timeout=120)  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def sh(self, script, **how):
        return self.run("sh", "-ec", script, **how).stdout.strip()

    def show(self, unit, *properties):
        """What systemctl show says, as values in this order."""
        said = dict(line.split("=", 1) for line in self.run("systemctl", "show", unit).stdout.splitlines() if "=" in line)
        return [said[p] for p in properties]

    def close(self):
        self.process.kill()
        for group in self.groups:
            wait_until(lambda: self.gone(group), f"{group} is empty", 10)  # noqa: B023

    @staticmethod
    def gone(group):
        """Remove a control group with those that systemd made in it."""
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        return not os.path.exists(group)
