"""A SLURM of one node with four made-up cards, for as long as a test session lasts."""

import os
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from check_skips import slurm

DAEMONS: Final = ("munged", "slurmctld", "slurmd")
CARDS: Final = 4
SYSTEM: Final = tuple(Path("/etc/slurm", name) for name in ("slurm.conf", "gres.conf"))
CONFIGURATION: Final = """
ClusterName=tips
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=1
MpiDefault=none
ReturnToService=2
MinJobAge=3600
KillWait=30
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 Sockets=1 CoresPerSocket=4 RealMemory={memory} Gres=gpu:{cards}
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE OverTimeLimit=0 State=UP
"""


def missing() -> str:
    """Names why no cluster can be started here; "" if one can."""
    if not slurm():
        return "no slurmd"
    # A SLURM that is here already must not be touched.
    taken = any(os.path.lexists(one) and not one.is_symlink() for one in SYSTEM)
    return "a SLURM is set up here already" if taken else ""


@contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """Runs the daemons; gives the environment variables by which SLURM's commands find them."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    host = socket.gethostname().partition(".")[0]
    ports = [_free_port(), _free_port()]
    memory = 16_000
    (folder / "slurm.conf").write_text(
        CONFIGURATION.format(host=host, folder=folder, ports=ports, memory=memory, cards=CARDS)
    )
    for number in range(CARDS):  # each a /dev/null of its own
        os.mknod(folder / f"card{number}", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    (folder / "gres.conf").write_text(
        f"NodeName={host} Name=gpu File={folder}/card[0-{CARDS - 1}]\n"
    )
    variables = {"SLURM_CONF": str(folder / "slurm.conf")}
    environment = os.environ | variables
    # Whoever may read the key may act as any user, so munged takes no folder that others may write.
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    socket_file = folder / "munge.socket"
    words = {
        "munged": (
            *("--foreground", "--force", f"--key-file={key}", f"--socket={socket_file}"),
            *(f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log"),
            f"--seed-file={folder}/munged.seed",
        ),
        "slurmctld": ("-D", "-i"),
        "slurmd": ("-D", "-N", host),
    }
    with ExitStack() as ended:
        # Inside of jobs SLURM's commands look here: Snakemake takes the variable away.
        for link in SYSTEM:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(folder / link.name)
            ended.callback(link.unlink, missing_ok=True)
        for name in DAEMONS:
            out = ended.enter_context((folder / f"{name}.out").open("w"))
            process = subprocess.Popen(
                [name, *words[name]],
                stdout=out,
                stderr=out,
                env=environment,
                cwd=folder,
                start_new_session=True,
            )
            ended.callback(_end, process)
            time.sleep(1)
        _until_idle(environment, folder)
        yield variables


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _until_idle(environment: dict[str, str], folder: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        shown = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if shown.stdout.strip() == "idle":
            return
        time.sleep(0.5)
    logs = "\n".join(file.read_text() for file in sorted(folder.glob("*.out")))
    raise TimeoutError(f"the node does not become idle: {shown.stdout} {shown.stderr}\n{logs}")
