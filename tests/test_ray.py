"""The engine for many machines, on a cluster of two small nodes; and what it does when they are lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from tagkit.engines import engine, local, ray_data
from tagkit.engines.todo import Heard
from tagkit.errors import UsageError
from tagkit.inference import ensemble
from tagkit.library.store import Store
from tests import library, media, s3_server

ray = pytest.importorskip("ray")

pytestmark = pytest.mark.filterwarnings("ignore")  # what Ray and its helpers leave open

KINDS = ("mp3", "flac", "wav", "opus")
FILES = 48


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of 48 files, three of them broken; a model; and a bucket."""
    root = tmp_path_factory.mktemp("ray")
    music = root / "Music"
    music.mkdir()
    library.small_model(root / "small.safetensors")
    for number in range(FILES):
        kind = KINDS[number % len(KINDS)]
        path = music / f"{number:02}{media.KINDS[kind].suffix}"
        media.make(path, kind, seconds=1.5, seed=number)
    (music / "bad.mp3").write_bytes(b"no audio at all " * 99)
    (music / "empty.flac").write_bytes(b"")
    whole = (music / "01.flac").read_bytes()
    (music / "cut.flac").write_bytes(whole[:60] + bytes(range(256)) * 40)
    (music / "same.flac").write_bytes(whole)
    folder = root / "buckets" / "albums" / "some where"
    folder.mkdir(parents=True)
    for name in ("02.wav", "05.flac", "bad.mp3"):
        (folder / name).write_bytes((music / name).read_bytes())
    (folder / "cover.jpg").write_bytes(b"no music")
    return root


@pytest.fixture(scope="module")
def cluster(place: Path) -> Iterator[Any]:
    """Two nodes of one CPU each, and a head that computes nothing."""
    keys = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
    with (
        pytest.MonkeyPatch.context() as patch,
        s3_server.serve(place / "buckets") as endpoint,
        warnings.catch_warnings(),
    ):
        # Sockets and files that Ray leaves to the garbage collector, while it is torn down too.
        warnings.simplefilter("ignore")
        for name, value in {**keys, **quiet, "AWS_ENDPOINT_URL": endpoint}.items():
            patch.setenv(name, value)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        from ray.cluster_utils import Cluster

        memory = {"object_store_memory": 80_000_000}
        head = {"num_cpus": 0, "include_dashboard": False, **memory}
        health = {"health_check_period_ms": 500, "health_check_failure_threshold": 4}
        made = Cluster(initialize_head=True, head_node_args={**head, "_system_config": health})
        try:
            nodes = [made.add_node(num_cpus=1, **memory) for _ in range(2)]
            ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
            made.wait_for_nodes()
            yield SimpleNamespace(made=made, nodes=nodes, address=made.address, memory=memory)
        finally:
            ray.shutdown()
            made.shutdown()


def hear(analyse: Callable[..., Iterator[Heard]], store: Path, place: Path, **options: Any) -> Any:
    """What came of every path, by name, and how often it came; and what is in the store."""
    model = ensemble.load([str(place / "small.safetensors")])
    options = {"device": "cpu", **options}
    paths = options.pop("paths", None) or sorted((place / "Music").iterdir())
    found: dict[str, list[Heard]] = {}
    with Store(store) as opened:
        for item in analyse(opened, model, paths, backend="torch", **options):
            found.setdefault(item.path.name, []).append(item)
        stored = {s.path.name: s for s in opened.read(paths, model.model_ids(16), embeddings=True)}
    assert all(len(items) == 1 for items in found.values())
    assert len(found) == len(paths)
    return {name: items[0] for name, items in found.items()}, stored


@pytest.fixture(scope="module")
def here(place: Path) -> Any:
    """What the local engine says."""
    return hear(local.analyse, place / "local.sqlite", place, jobs=1)


def same(one: Any, other: Any) -> None:
    """The same files failed for the same reasons, and the same was heard in the rest."""
    (heard, stored), (wanted, stored_there) = one, other
    assert {n: h.error for n, h in heard.items()} == {n: h.error for n, h in wanted.items()}
    assert stored.keys() == stored_there.keys()
    for name, item in stored.items():
        assert item.duration == stored_there[name].duration
        for mine, theirs in (
            (item.results, stored_there[name].results),
            (item.embeddings, stored_there[name].embeddings),
        ):
            assert mine.keys() == theirs.keys()
            for model in mine:
                np.testing.assert_allclose(mine[model], theirs[model], atol=1e-5)


def actors(node: Any) -> list[psutil.Process]:
    """The processes of a node that listen, and are at work: their decoders run."""
    raylet = node.all_processes["raylet"][0].process.pid
    return [
        process
        for process in psutil.Process(raylet).children()
        if "MapWorker" in process.name() + " ".join(process.cmdline()) and process.children()
    ]


def lose_both(cluster: Any, struck: list[str]) -> None:
    """Wait until both nodes are at work; then kill the worker of one, and all of the other one."""
    held: dict[int, psutil.Process] = {}
    until = time.monotonic() + 180  # a busy machine takes its time to start a worker
    while len(held) < 2 and time.monotonic() < until:
        for number, node in enumerate(cluster.nodes):
            for process in actors(node) if number not in held else ():
                process.suspend()  # in the middle of a block; the other gets the next ones
                held[number] = process
        time.sleep(0.01)
    for process in held.values():
        process.send_signal(signal.SIGKILL)
    if len(held) == 2:
        struck += ["worker", "node"]
        cluster.made.remove_node(cluster.nodes.pop(), allow_graceful=False)


def test_a_lost_worker_and_a_lost_node_cost_only_themselves(
    cluster: Any, place: Path, here: Any
) -> None:
    struck: list[str] = []
    thread = threading.Thread(target=lose_both, args=(cluster, struck))
    thread.start()
    try:
        found = hear(ray_data.analyse, place / "ray.sqlite", place)
    finally:
        thread.join()
    assert struck == ["worker", "node"]
    same(found, here)
    heard, _ = found
    assert sum(item.error is not None for item in heard.values()) == 3
    assert sum(item.analysed for item in heard.values()) == len(heard) - 1  # equal audio once
    again, _ = hear(ray_data.analyse, place / "ray.sqlite", place)
    assert not any(item.analysed for item in again.values())
    assert {n: i.error for n, i in again.items()} == {n: i.error for n, i in heard.items()}
    assert not (place / "ray.sqlite.ray").exists()


def test_a_killed_run_is_taken_up_where_it_was(
    cluster: Any, place: Path, here: Any, home: Path
) -> None:
    store = place / "killed.sqlite"
    command = ("tag", place / "Music", "--engine", "ray", "--store", store, "--context", "none")
    command += ("--model", place / "small.safetensors", "--device", "cpu", "--backend", "torch")
    with subprocess.Popen(
        [sys.executable, "-m", "tagkit", *map(str, command)],
        env={**library.environment(home), "RAY_ADDRESS": cluster.address},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as run:
        folder = place / "killed.sqlite.ray"
        until = time.monotonic() + 90
        while not list(folder.glob("*.parquet")) and time.monotonic() < until:
            time.sleep(0.002)
        run.kill()
    left = len(list(folder.glob("*.parquet")))
    heard, stored = hear(ray_data.analyse, store, place)
    analysed = sum(item.analysed for item in heard.values())
    assert 0 < analysed < len(heard) - 1
    same((heard, stored), here)
    assert left
    assert not list(folder.glob("*.parquet"))


def test_the_command_hears_objects_in_s3(cluster: Any, place: Path, here: Any, home: Path) -> None:
    arguments = ("tag", "s3://albums", "--engine", "ray", "--store", place / "s3.sqlite")
    arguments += ("--format", "jsonl", "--all-tags", "--model", place / "small.safetensors")
    arguments += ("--device", "cpu", "--backend", "torch")
    os.environ["RAY_ADDRESS"] = cluster.address
    try:
        done, again = (library.run(home, *arguments) for _ in range(2))
    finally:
        del os.environ["RAY_ADDRESS"]
    rows = {Path(row["path"]).name: row for row in map(json.loads, done.stdout.splitlines())}
    assert rows.keys() == {"02.wav", "05.flac"}, done.stderr
    assert rows["02.wav"]["path"] == "s3://albums/some where/02.wav"
    assert "bad.mp3: cannot be decoded" in done.stderr
    assert "3 analysed" in done.stderr
    assert "analysed" not in again.stderr
    assert again.stdout == done.stdout
    refused = library.run(home, "tag", "s3://albums", "--engine", "ray", "--write", *arguments[4:])
    assert refused.returncode == 2
    assert "no more" in refused.stderr
    (wanted,) = here[1]["02.wav"].results.values()
    found = [rows["02.wav"]["probabilities"][tag] for tag in library.TAGS]
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.usefixtures("cluster")
def test_a_file_that_ends_its_worker_each_time_fails_alone(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tagkit.engines.ray_data import cluster as module
    from tagkit.engines.ray_data.stages import Hear

    class Fatal(Hear):
        def __call__(self, batch: Any) -> Any:
            if any(row["where"].endswith(b"05.flac") for row in batch.to_pylist()):
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__call__(batch)

    monkeypatch.setattr(module, "Hear", Fatal)
    monkeypatch.setattr(module, "RETRIES", 0)
    paths = sorted((place / "Music").iterdir())[:20]  # blocks of two and more
    heard, stored = hear(ray_data.analyse, place / "fatal.sqlite", place, paths=paths)
    assert {n for n, item in heard.items() if item.error} == {"05.flac"}
    assert heard["05.flac"].error == module.LOST
    assert stored["05.flac"].error is None  # it is for the next run to try again
    assert not stored["05.flac"].results
    assert all(item.results for name, item in stored.items() if name != "05.flac")


def test_cpus_decode_for_gpus(
    cluster: Any, place: Path, here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tagkit.engines.ray_data import cluster as module

    monkeypatch.setattr(module, "GPU", "cpu")  # what Ray counts as one here
    node = cluster.made.add_node(num_cpus=1, num_gpus=1, **cluster.memory)
    try:
        cluster.made.wait_for_nodes()
        found = hear(ray_data.analyse, place / "gpu.sqlite", place, device="auto")
    finally:
        cluster.made.remove_node(node)
    same(found, here)


def test_what_need_not_be_the_file_s_fault_is_said_and_not_remembered(tmp_path: Path) -> None:
    from tagkit.engines.ray_data import shards, stages

    results = [
        shards.Result("unplugged", ("model",), 0.0, {}, "cannot be opened", passing=True),
        shards.Result("broken", ("model",), 0.0, {}, "cannot be decoded"),
    ]
    (row,) = stages._kept(shards.Shelf(str(tmp_path / "none")), results).to_pylist()
    assert row["keys"] == ["unplugged", "broken"]
    assert row["errors"] == ["cannot be opened", "cannot be decoded"]
    assert [result.key for result in shards.decode(row["data"])] == ["broken"]


def test_without_ray_the_way_to_it_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match="not installed") as caught:
        hear(ray_data.analyse, place / "none.sqlite", place)
    assert caught.value.hint == "pip install 'tagkit[ray]'"


def test_ray_is_loaded_only_where_it_is_asked_for() -> None:
    code = (
        "import sys; from tagkit.engines import engine; engine('local'); import tagkit.cli.tagging"
    )
    code += "; print('ray' in sys.modules, 'pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
    assert engine("ray") is ray_data.analyse
