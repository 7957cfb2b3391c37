"""A release's containers as processes of this machine: what a cluster would start, nothing else.

Their commands, environment, probes and ends are those that the chart draws. Only addresses differ,
since all of them share one, and where files lie.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests

from embedded.ports import choose_ports
from tests.architecture.tree import ROOT
from tests.deploy.chart import Drawn, Manifest
from tests.stack import wait_until

PROBE_S = 120.0
_SECRETS, _TMP = "/etc/lienzo/secrets/", "/tmp"


@dataclass
class Pod:
    """One container that runs, with the ports that its own names stand for."""

    name: str
    container: Manifest
    grace_s: float
    ports: Mapping[str, int]
    process: subprocess.Popen[bytes]

    def passes(self, kind: str) -> bool:
        """Tell whether a probe is answered as the kubelet wants it."""
        assert self.process.poll() is None, f"{self.name} ended"
        probe = self.container[kind]["httpGet"]
        headers = {one["name"]: one["value"] for one in probe.get("httpHeaders", ())}
        url = f"http://127.0.0.1:{self.ports[probe['port']]}{probe['path']}"
        try:
            return requests.get(url, headers=headers, timeout=12).status_code < 400
        except requests.ConnectionError:
            return False

    def stop(self) -> None:
        """Tell it to end, as the kubelet does once the preStop hook is over."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Return the exit status; it must not need to be killed."""
        return self.process.wait(self.grace_s)


@dataclass
class Node:
    """Where pods run.

    Attributes:
        folder: Holds what a pod has in its volumes, and the files of pages.
        addresses: What settings say of other pods, and what it is here.
    """

    folder: Path
    drawn: Drawn
    addresses: Mapping[str, str]
    ports: Mapping[str, int]
    pods: dict[str, Pod] = field(default_factory=dict)

    def run_job(self, name: str) -> None:
        """Run the steps of a Job, one after another."""
        spec = self.drawn.named("Job", name)["spec"]["template"]["spec"]
        for container in (*spec["initContainers"], *spec["containers"]):
            environment = self._environment(container, {})
            subprocess.run(self._command(container), env=environment, cwd=ROOT, check=True)

    def run(self, component: str, *command: str) -> str:
        """Run a command in a pod, as `kubectl exec` does; return what it prints."""
        pod = self.pods[component]
        environment = self._environment(pod.container, pod.ports)
        done = subprocess.run(
            [sys.executable, *command],
            env=environment,
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout

    def start(self) -> None:
        """Start one pod of each Deployment, and wait until all are ready."""
        for one in self.drawn.of_kind("Deployment"):
            spec = one["spec"]["template"]["spec"]
            (container,) = spec["containers"]
            component = one["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]
            ports = {"metrics": choose_ports(1)[0]}
            if component in self.ports:
                ports["http"] = self.ports[component]
            process = subprocess.Popen(
                self._command(container),
                env=self._environment(container, ports),
                cwd=ROOT,
                start_new_session=True,
            )
            grace_s = spec["terminationGracePeriodSeconds"]
            self.pods[component] = Pod(component, container, grace_s, ports, process)
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            for pod in self.pods.values():
                wait_until(_probe(pod, kind), f"{pod.name}: {kind}", timeout_s=PROBE_S, every_s=0.5)

    def stop(self) -> None:
        """End what still runs, at once, with all that it has started."""
        for pod in self.pods.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pod.process.pid, signal.SIGKILL)
            pod.process.wait()

    def _command(self, container: Manifest) -> Sequence[str]:
        here = {"8009": str(self.ports["sandbox"])}
        parts = [here.get(part, part) for part in container["command"][1:]]
        return [sys.executable, *(part.replace(_TMP, str(self.folder)) for part in parts)]

    def _environment(self, container: Manifest, ports: Mapping[str, int]) -> dict[str, str]:
        """Return what the kubelet would put together, and the little that an image brings."""
        values = {"PATH": os.environ["PATH"], "LIENZO_VAR": str(self.folder / "var")}
        for source in container.get("envFrom", ()):
            values |= self.drawn.named("ConfigMap", source["configMapRef"]["name"])["data"]
        values |= {one["name"]: one["value"] for one in container.get("env", ())}
        values = {name: self._here(value) for name, value in values.items()}
        if "METRICS_PORT" in values:
            values["METRICS_PORT"] = str(ports["metrics"])
        if "PORT" in values:
            values["PORT"] = str(self.ports["web"])
        return values

    def _here(self, value: str) -> str:
        if value.startswith(_SECRETS):
            return str(self.folder / "secrets" / value.removeprefix(_SECRETS))
        return self.addresses.get(value, value)


def write_secrets(folder: Path, name: str, values: Mapping[str, str]) -> None:
    """Write what a Secret that is mounted as files would show."""
    where = folder / "secrets" / name
    where.mkdir(parents=True)
    for key, value in values.items():
        (where / key).write_text(value, encoding="utf-8")


def _probe(pod: Pod, kind: str) -> Callable[[], bool]:
    return lambda: pod.passes(kind)
