"""What of the sandbox holds on this machine."""

from telecine.ffmpeg.confinement import SandboxPolicy
from telecine.ffmpeg.runner import Limits, Runner

__all__ = ["SandboxPolicy", "layers"]


async def layers(runner: Runner) -> dict[str, str | bool]:
    """Start a confined ffmpeg and return its layers: `True`, a version, or why not.

    Raises:
        RunnerError: media work would be refused; the text says why.
    """
    limits = Limits(cpu_s=20, memory_bytes=1 << 31, wall_s=30)
    result = await runner.run(["-v", "error", "-version"], limits=limits)
    return {name: state if isinstance(state, bool) else str(state)
            for name, state in result.layers.items()}  # fmt: skip
