"""``launch``: the same recipe on several processes, here or under Slurm."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import arg

from scratchlm.cli.mesh_choice import Wanted, choose_job
from scratchlm.cli.options import say
from scratchlm.cli.train import RUN, announce, asked_for, check_same

if TYPE_CHECKING:
    from scratchlm.recipes.recipe import Recipe
    from scratchlm.scaling.launching.launch import Launch as Asked

LAUNCH, SCRIPT = "launch.json", "job.sh"
PROGRAM = "scratchlm.cli.rank"


@dataclass(frozen=True, kw_only=True)
class Launch:
    """Train a model by a recipe on several processes.

    Starts them on this machine by torchrun, or writes a script for Slurm and
    submits it. The same command goes on where a run stopped, on the same
    mesh or on another one.

    Example: python -m scratchlm launch tinyworld-tiny --slurm --dry-run
    """

    out: Annotated[
        Path | None,
        arg(
            aliases=["-o"],
            metavar="FOLDER",
            help="for checkpoints, logs and the model, which all nodes see; "
            "runs/RECIPE if not given",
        ),
    ] = None
    slurm: bool = False
    """write a script for Slurm, and submit it"""
    dry_run: bool = False
    """print the script, or torchrun's command, and end"""
    nodes: int = 1
    """machines"""
    least_nodes: int | None = None
    """go on while as many are left; all of them if not given"""
    ranks_per_node: int = 2
    """processes of a machine; one for each GPU where there are GPUs"""
    cpus_per_rank: int = 1
    """cores of a process"""
    mesh: str | None = None
    """sizes of axes, such as dp=2,tp=2; if not given the planner chooses for
    --gpu, and without one all processes share the rows"""
    gpu: str | None = None
    """v100, a100, h100, h100-500w or h200, for the planner"""
    zero: int = 0
    """what data parallel processes share: 0 nothing, 1 the optimizer's state,
    2 gradients too, 3 weights too"""
    sequence: bool = False
    """let tensor parallel processes share positions too"""
    n_micro: int | None = None
    """parts of a step, one after another; if not given as many rows at once
    as the recipe has, and one part for each stage of a pipeline at least"""
    save_every: int | None = None
    """steps between two checkpoints; as the recipe has it if not given"""
    minutes: int = 60
    """after which Slurm ends the job, and the script asks for more"""
    partition: str | None = None
    """of the cluster"""
    account: str | None = None
    """that pays"""
    requeue: bool = True
    """put the job into the queue again when its time is over or a node
    fails"""
    warning: int = 120
    """seconds before its end at which a job begins its last checkpoint"""
    max_restarts: int = 3
    """how often torchrun starts all ranks again after one failed"""
    starter: Literal["torchrun", "srun"] = "torchrun"
    """who starts the ranks of a node under Slurm"""

    def run(self) -> None:
        """Do it."""
        told = asked_for(self, Launch)
        folder = (self.out or Path("runs") / told["recipe"]).absolute()
        asked = self._asked(told["recipe"], folder)
        recipe = announce(told)
        told |= self._shares(recipe)
        _check_folder(folder, told)
        if not self.dry_run:
            _write(folder / LAUNCH, json.dumps(told, indent=1) + "\n")
        if self.slurm:
            self._submit(asked)
        else:
            self._start(asked)

    def _asked(self, recipe: str, folder: Path) -> "Asked":
        from scratchlm.scaling.launching.launch import (  # noqa: PLC0415
            Launch as Asked,
        )

        gpu = getattr(self, "device", "cpu") != "cpu"
        return Asked(
            name=recipe,
            command=("-m", PROGRAM, str(folder)),
            folder=folder,
            gpus_per_rank=int(gpu),
            python=sys.executable,
            **{name: getattr(self, name) for name in _ASKED},
        )

    def _shares(self, recipe: "Recipe") -> dict[str, Any]:
        """Return how the ranks share the work, and say it."""
        job = choose_job(
            recipe,
            Wanted(**{name: getattr(self, name) for name in _WANTED}),
        )
        say(f"  mesh        {job.mesh!s:>16}")
        run = recipe.run
        if self.save_every is not None:
            run = replace(run, save_every=self.save_every)
        return {
            "mesh": asdict(job.mesh),
            "zero": job.zero,
            "n_micro": job.n_micro,
            "sequence": self.sequence,
            "save_every": run.save_every,
        }

    def _submit(self, asked: "Asked") -> None:
        from scratchlm.scaling.launching.job_script import (  # noqa: PLC0415
            sbatch_script,
        )

        script, path = sbatch_script(asked), asked.folder / SCRIPT
        if self.dry_run:
            print(script, end="")
            return
        _write(path, script)
        say(f"launch: wrote {path}")
        sbatch = shutil.which("sbatch")
        if sbatch is None:
            raise ValueError(
                f"there is no sbatch on this machine; run `sbatch {path}` on "
                "a login node of the cluster"
            )
        done = subprocess.run(
            [sbatch, str(path)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ValueError(
                f"sbatch refused {path}: {done.stderr.strip()}; change what "
                "it names, or ask for its options with --help"
            )
        say(f"launch: {done.stdout.strip()}")

    def _start(self, asked: "Asked") -> None:
        from scratchlm.scaling.launching.job_script import (  # noqa: PLC0415
            torchrun,
        )

        if self.nodes > 1:
            raise ValueError(
                f"{self.nodes} nodes need a scheduler; give --slurm, or "
                "--nodes 1 for this machine"
            )
        words = torchrun(asked)
        if self.dry_run:
            print(shlex.join(words))
            return
        _run_until_done(words, asked.folder, threads=asked.cpus_per_rank)


_ASKED = (
    *("nodes", "least_nodes", "ranks_per_node", "cpus_per_rank", "minutes"),
    *("partition", "account", "requeue", "warning", "max_restarts"),
    "starter",
)
_WANTED = ("nodes", "ranks_per_node", "mesh", "gpu", "zero", "n_micro")


def _check_folder(folder: Path, told: dict[str, Any]) -> None:
    """Refuse a folder of another run."""
    if (folder / RUN).exists():
        raise ValueError(
            f"{folder} is of a run on one process; name another folder with "
            f"-o, or go on with it by: python -m scratchlm resume {folder}"
        )
    if (folder / LAUNCH).exists():
        otherwise = "give the settings that it was started with"
        check_same(folder, read_launch(folder), told, otherwise)


def read_launch(folder: Path) -> dict[str, Any]:
    """Return what ``launch`` wrote of a run.

    Args:
        folder: of the run.

    Raises:
        ValueError: there is nothing, or it is damaged.
    """
    path = folder / LAUNCH
    try:
        told = json.loads(path.read_text("utf8"))
    except FileNotFoundError:
        raise ValueError(
            f"there is no {path}; give the folder of a run, as launch makes it"
        ) from None
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    kinds = {name: type(value) for name, value in told.items()}
    if kinds != _KINDS:
        raise ValueError(
            f"{path} is damaged: it has {', '.join(sorted(kinds))} and should "
            f"have {', '.join(sorted(_KINDS))}; start the run again"
        )
    return told


_KINDS = {
    "recipe": str,
    "settings": dict,
    "mesh": dict,
    "zero": int,
    "n_micro": int,
    "sequence": bool,
    "save_every": int,
}


def _write(path: Path, text: str) -> None:
    from scratchlm.foundation.durable import write_whole  # noqa: PLC0415

    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())


def _run_until_done(
    words: Sequence[str], folder: Path, *, threads: int = 1
) -> None:
    """Run torchrun to its end; a signal asks it to end, and it is waited for.

    Args:
        words: its command.
        folder: of the run.
        threads: of each rank, where the environment does not say.

    Raises:
        ValueError: it failed.
        Interrupted: it was asked to end.
    """
    from scratchlm.training.pretraining.interruption import (  # noqa: PLC0415
        Interrupted,
        requests_to_end,
    )

    # In a session of its own: else Ctrl-C reaches it, and its ranks twice.
    process = subprocess.Popen(
        [*words],
        start_new_session=True,
        # Without it torchrun sets one, and says so at length.
        env={"OMP_NUM_THREADS": f"{threads}", **os.environ},
    )
    asked = 0
    while process.poll() is None:
        with suppress(KeyboardInterrupt), requests_to_end() as request:
            while process.poll() is None and not request:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.2)
        if request and not asked:
            asked = request.number
            process.send_signal(signal.SIGTERM)
            say("launch: the ranks write a checkpoint, and end")
    if asked:
        raise Interrupted(
            f"the run in {folder} was asked to end; the same command goes on "
            "with it",
            asked,
        )
    if process.returncode:
        raise ValueError(
            f"a rank failed, and torchrun ended with {process.returncode}; "
            "look for the first traceback above, and then give the same "
            "command, which goes on from the last checkpoint"
        )
