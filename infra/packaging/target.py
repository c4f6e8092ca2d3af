"""What a package is built for: a version of Python and a machine."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass

from packaging.markers import default_environment

MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}  # the cloud's word: the word of Python and of wheels
# Amazon Linux 2023, which python3.12 and later run on, has glibc 2.34. pip takes only the tags that it is told, and
# without manylinux_2_28 it would silently take an onnxruntime that is years old.
OLDEST_GLIBC, NEWEST_GLIBC = 17, 34


@dataclass(frozen=True, slots=True)
class Target:
    """A version of Python, such as "3.13", on a machine of the cloud or, with `is_host`, on this one."""

    python: str
    architecture: str
    is_host: bool = False

    @classmethod
    def host(cls) -> Target:
        """The interpreter and the machine that this runs on."""
        return cls(f"{sys.version_info.major}.{sys.version_info.minor}", platform.machine(), is_host=True)

    @property
    def name(self) -> str:
        """The folder's name below dist/."""
        return f"{'host' if self.is_host else self.architecture}-python{self.python}"

    def pip_options(self) -> list[str]:
        """What makes pip choose wheels for this target."""
        if self.is_host:
            return ["--only-binary=:all:"]
        machine = MACHINES[self.architecture]
        tags = [f"manylinux_2_{minor}_{machine}" for minor in range(NEWEST_GLIBC, OLDEST_GLIBC - 1, -1)]
        platforms = [option for tag in (*tags, f"manylinux2014_{machine}") for option in ("--platform", tag)]
        # Older pips compare a package's requires-python with the interpreter that pip itself runs on.
        python = ["--implementation", "cp", "--python-version", self.python, "--ignore-requires-python"]
        return ["--only-binary=:all:", *python, *platforms]

    def marker_environment(self) -> dict[str, str]:
        """What the markers of requirements are compared with. pip itself compares them with where it runs."""
        here = {name: str(value) for name, value in default_environment().items()}
        if self.is_host:
            return here
        return here | {
            "os_name": "posix",
            "sys_platform": "linux",
            "platform_system": "Linux",
            "platform_machine": MACHINES[self.architecture],
            "python_version": self.python,
            "python_full_version": f"{self.python}.0",
            "implementation_version": f"{self.python}.0",
        }
