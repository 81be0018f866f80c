"""``serve --workers``: several processes that search are one service, whatever becomes of each of them."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from qa_search import SearchIndex, build_index
from qa_search.errors import IndexDamagedError
from qa_search.insights.question_log import QuestionLog, read_questions
from qa_search.interfaces.cli import cli
from qa_search.interfaces.cli.serve import threads_of_each, workers_for
from qa_search.interfaces.web import worker, workers
from qa_search.interfaces.web.app import Settings
from qa_search.interfaces.web.service import _Lane, _Waiting
from qa_search.interfaces.web.worker import Opening
from qa_search.interfaces.web.workers import Seat, Workers
from qa_search.search.feedback import read_votes
from qa_search.search.query import SearchParameters
from tests.helpers import ROOT, WordsEmbedder, write_jsonl, write_pages
from tests.interfaces.web.test_app import ask, serving, without_time

LONGEST = 120  # seconds that anything here may take on a busy machine


class Panic(BaseException):
    """As a Rust library raises it."""


class Meeting(WordsEmbedder):
    """A process that searches for "stuck" connects to the test, says its number, and waits until it is let go."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    def embed_queries(self, texts: Any) -> Any:
        if any("stuck" in text for text in texts):
            with socket.create_connection(("127.0.0.1", self.port)) as met:
                met.sendall(f"{os.getpid()}\n".encode())
                met.recv(1)
        if any("panic" in text for text in texts):
            raise Panic("no such luck")
        return super().embed_queries(texts)


class Stage:
    """Where the test meets processes that search."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(LONGEST)
        self._met: list[socket.socket] = []

    @property
    def embedder(self) -> Meeting:
        return Meeting(self._listener.getsockname()[1])

    def meet(self) -> int:
        """Wait for a process that searches; return its number."""
        met, _ = self._listener.accept()
        self._met.append(met)
        return int(met.makefile().readline())

    def let_go(self) -> None:
        """Let all go on that have been met."""
        while self._met:
            self._met.pop().close()

    def close(self) -> None:
        self.let_go()
        self._listener.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    found = Stage()
    yield found
    found.close()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workers")
    build_index(write_pages(folder / "pages", 12), folder / "index", model=WordsEmbedder())
    return folder / "index"


@contextmanager
def served(
    index: Path, embedder: WordsEmbedder | None = None, settings: Settings | None = None, **options: Any
) -> Iterator[str]:
    """Serve an index by two workers."""
    own = embedder or WordsEmbedder()
    feedback = options.get("feedback")
    two = Workers(Opening(str(index), own, feedback and str(feedback)), 2, 1)
    with serving(index, settings, own, workers=two, **options) as address:
        yield address


def search(address: str, text: str) -> int:
    return ask(f"{address}/api/search", {"query": text, "k": 1})[0]


def counts(address: str) -> dict[str, float]:
    """Return the metrics."""
    lines = [line.rsplit(" ", 1) for line in ask(f"{address}/metrics")[1].splitlines() if line[0] != "#"]
    return {name: float(value) for name, value in lines}


def until(found: Callable[[], bool]) -> None:
    """Ask until something holds."""
    while not found():
        pass


def test_each_worker_searches_and_their_counts_are_one(index: Path, stage: Stage) -> None:
    """Two at once are searched by two processes, neither of them this one; one page of counts has all."""
    with served(index, stage.embedder) as address, ThreadPoolExecutor(2) as pool:
        assert ask(f"{address}/readyz")[:2] == (200, {"status": "ready", "generation": "g000001"})
        asking = [pool.submit(search, address, "stuck") for _ in range(2)]
        met = {stage.meet(), stage.meet()}
        assert len(met - {os.getpid()}) == 2
        stage.let_go()
        assert [one.result() for one in asking] == [200, 200]
        found = counts(address)
        assert found["qa_search_workers"] == 2
        assert found["qa_search_batch_size_sum"] == 2
        assert found['qa_search_requests_total{route="/api/search",status="200"}'] == 2


def test_workers_answer_as_the_index_does(index: Path, tmp_path: Path) -> None:
    """Searches, posts like a post, filters, errors; the log of questions and the votes are written once."""
    feedback, questions = tmp_path / "feedback.jsonl", QuestionLog(tmp_path / "log")
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        expected = opened.search("my knee5 hurts", k=3, since="2016").to_dict()
        post = expected["hits"][0]["post_id"]
        like = opened.similar(post, k=3).to_dict()
    settings = Settings(rate=0, questions=questions)
    with served(index, settings=settings, feedback=feedback) as address:
        status, got, _ = ask(f"{address}/api/search", {"query": "my knee5 hurts", "k": 3, "since": "2016"})
        assert (status, without_time(got)) == (200, without_time(expected))
        status, got, _ = ask(f"{address}/api/posts/{post}/similar?k=3")
        assert (status, without_time(got)) == (200, without_time(like))
        status, got, _ = ask(f"{address}/api/search", {"query": "knee", "since": "never"})
        assert (status, got["error"]["type"]) == (400, "QueryError")
        vote = {"query": "my knee5 hurts", "post_id": post, "answered": True}
        assert ask(f"{address}/api/feedback", vote)[:2] == (200, {"recorded": True})
    questions.close()
    assert [question.text for question in read_questions(tmp_path / "log")] == ["my knee5 hurts"]
    assert len(read_votes(feedback)) == 1


def test_a_killed_worker_is_replaced_and_its_request_gets_503(
    index: Path, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """The other one goes on; log, counts and readiness report it; then both search again."""
    with served(index, stage.embedder) as address, ThreadPoolExecutor(2) as pool:
        lost = pool.submit(ask, f"{address}/api/search", {"query": "stuck"})
        first = stage.meet()
        other = pool.submit(search, address, "stuck")
        stage.meet()
        os.kill(first, signal.SIGKILL)
        status, document, headers = lost.result(LONGEST)
        assert (status, document["error"]["type"], headers["retry-after"]) == (503, "BusyError", "1")
        stage.let_go()
        assert other.result(LONGEST) == 200
        until(lambda: counts(address)["qa_search_workers"] == 2)
        assert counts(address)["qa_search_workers_ended_total"] == 1
        asking = [pool.submit(search, address, "stuck") for _ in range(2)]
        assert first not in {stage.meet(), stage.meet()}
        stage.let_go()
        assert [one.result(LONGEST) for one in asking] == [200, 200]
    assert f"worker {first} has ended (killed by SIGKILL), and is replaced" in caplog.messages


def test_without_any_worker_the_service_is_not_ready_and_questions_wait(index: Path, stage: Stage) -> None:
    """Until the first one is back; nothing that came meanwhile is lost."""
    with served(index, stage.embedder) as address, ThreadPoolExecutor(6) as pool:
        lost = [pool.submit(search, address, "stuck") for _ in range(2)]
        for process in (stage.meet(), stage.meet()):
            os.kill(process, signal.SIGKILL)
        assert [one.result(LONGEST) for one in lost] == [503, 503]
        asking = [pool.submit(search, address, "my knee5 hurts") for _ in range(4)]
        assert [one.result(LONGEST) for one in asking] == [200] * 4
        until(lambda: ask(f"{address}/readyz")[0] == 200)


def test_honest_clients_see_answers_or_503_while_workers_are_killed(index: Path, stage: Stage) -> None:
    """Four clients ask all the time, and each worker is killed in turn."""
    done, statuses = threading.Event(), []
    with served(index, stage.embedder) as address, ThreadPoolExecutor(5) as pool:

        def keep_asking() -> None:
            while not done.is_set():
                statuses.append(search(address, "my knee5 hurts"))

        asking = [pool.submit(keep_asking) for _ in range(4)]
        for number in range(1, 4):
            stuck = pool.submit(search, address, "stuck")
            os.kill(stage.meet(), signal.SIGKILL)
            assert stuck.result(LONGEST) == 503
            until(lambda: counts(address)["qa_search_workers"] == 2)
            assert counts(address)["qa_search_workers_ended_total"] == number
        done.set()
        for one in asking:
            one.result(LONGEST)
        assert set(statuses) <= {200, 503}
        assert statuses.count(200) > statuses.count(503)


def test_a_worker_that_hangs_is_replaced(
    index: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After whoever asked got an answer in time (504)."""
    monkeypatch.setattr(workers, "_SLACK_SECONDS", 0.5)
    with served(index, stage.embedder, Settings(rate=0, timeout=2)) as address:
        assert search(address, "stuck") == 504
        until(lambda: counts(address)["qa_search_workers_ended_total"] == 1)
        until(lambda: counts(address)["qa_search_workers"] == 2)
    assert any("it did not answer within 2.5 seconds" in message for message in caplog.messages)


def test_workers_that_stand_still_are_replaced(index: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if they do not read what is asked: the longest complaint has more bytes than a pipe holds."""
    monkeypatch.setattr(workers, "_SLACK_SECONDS", 0.5)
    longest = json.dumps({"query": "\U0001f9b5" * 100_000}, ensure_ascii=False).encode()
    with (
        served(index, stage.embedder, Settings(rate=0, timeout=2)) as address,
        ThreadPoolExecutor(3) as pool,
    ):
        asking = [pool.submit(search, address, "stuck") for _ in range(2)]
        for process in (stage.meet(), stage.meet()):
            os.kill(process, signal.SIGSTOP)
        asking.append(pool.submit(lambda: ask(f"{address}/api/search", longest)[0]))
        assert [one.result(LONGEST) for one in asking] == [504, 504, 504]
        until(lambda: counts(address)["qa_search_workers_ended_total"] == 2)
        until(lambda: counts(address)["qa_search_workers"] == 2)


def test_a_panic_in_a_worker_ends_one_request_only(index: Path, stage: Stage) -> None:
    """With status 500, as in one process; no worker ends."""
    with served(index, stage.embedder) as address, ThreadPoolExecutor(10) as pool:
        texts = ["panic" if n % 3 == 0 else "my knee5 hurts" for n in range(10)]
        assert list(pool.map(lambda text: search(address, text), texts)) == [500, 200, 200] * 3 + [500]
        assert counts(address)["qa_search_workers_ended_total"] == 0


def test_rate_and_wrong_tokens_are_counted_once(index: Path) -> None:
    """Over all workers: a client has one allowance, whichever worker searches for it."""
    with served(index, settings=Settings(rate=0.001)) as address:
        assert [search(address, "my knee5 hurts") for _ in range(3)] == [200, 429, 429]
    with served(index, settings=Settings(token="right", rate=0)) as address:  # noqa: S106 - a test's
        url = f"{address}/api/search?q=knee"
        found = [ask(url, headers={"authorization": "Bearer wrong"})[0] for _ in range(60)]
        assert found.count(429) >= 30
        assert ask(url, headers={"authorization": "Bearer right"})[0] == 200


def test_builds_are_followed_by_all_workers_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While five builds publish, nothing fails, and no client sees an older generation after a newer one.

    For no worker begins a search between the first one's move and the last one's.
    """
    free_at_a_move = []
    real = Workers._move

    async def noted(self: Workers) -> None:
        await real(self)
        free_at_a_move.append([seat.free.is_set() for seat in self.seats])

    monkeypatch.setattr(Workers, "_move", noted)

    def edition(number: int) -> None:
        record = {"id": "edition", "question": "Which edition is this?", "answer": f"Edition {number} of it."}
        build_index(write_jsonl(tmp_path / "a.jsonl", [record]), tmp_path / "index", model=WordsEmbedder())

    edition(1)
    done = threading.Event()
    with served(tmp_path / "index") as address, ThreadPoolExecutor(4) as pool:

        def keep_asking() -> list[int]:
            seen = []
            while not done.is_set():
                status, document, _ = ask(f"{address}/api/search?q=which+edition")
                assert status == 200
                seen.append(int(re.findall(r"\d+", document["hits"][0]["answer"])[0]))
                assert ask(f"{address}/readyz")[0] == 200
            return seen

        asking: list[Future[list[int]]] = [pool.submit(keep_asking) for _ in range(4)]
        try:
            for number in range(2, 7):
                edition(number)
                until(lambda: ask(f"{address}/readyz")[1].get("generation") == f"g{number:06}")  # noqa: B023
        finally:
            done.set()
        for one in asking:
            seen = one.result(LONGEST)
            assert seen == sorted(seen)
        assert ask(f"{address}/api/info")[1]["generation"] == "g000006"
        assert len(free_at_a_move) >= 5
        assert not any(map(any, free_at_a_move))
        assert counts(address)["qa_search_workers_ended_total"] == 0


def test_what_the_archivist_writes_reaches_all_workers(tmp_path: Path, stage: Stage) -> None:
    """A post that is hidden is found by none; a file that cannot be read changes nothing, and readiness reports it."""
    path = tmp_path / "index"
    build_index(write_pages(tmp_path / "pages", 5), path, model=WordsEmbedder())
    with served(path, stage.embedder) as address, ThreadPoolExecutor(2) as pool:
        hit = ask(f"{address}/api/search?q=my+knee3+hurts")[1]["hits"][0]["post_id"]
        (path / "curation.toml").write_text(f'[[hide]]\npost = "{hit}"\nwhy = "wrong"\n', encoding="utf-8")
        until(lambda: ask(f"{address}/api/posts/{hit}")[0] == 404)
        asking = [pool.submit(ask, f"{address}/api/search?q=stuck+my+knee3+hurts") for _ in range(2)]
        assert len({stage.meet(), stage.meet()}) == 2
        stage.let_go()
        for one in asking:
            status, document, _ = one.result(LONGEST)
            assert status == 200
            assert hit not in [found["post_id"] for found in document["hits"]]
        (path / "curation.toml").write_text("[[hide]]\n", encoding="utf-8")
        until(lambda: "problem" in ask(f"{address}/readyz")[1])
        assert search(address, "my knee4 hurts") == 200


class Broken(Opening):
    """Opens an index in the service only."""

    def open(self) -> SearchIndex:
        if multiprocessing.parent_process() is not None:
            raise IndexDamagedError("damaged: for this process")
        return SearchIndex.open(self.path, model=WordsEmbedder())


def serve_broken(path: str) -> None:
    """Be the command, with workers that cannot open the index."""
    worker.Opening = Broken  # type: ignore[misc]
    cli(["serve", "--index", path, "--port", "0", "--workers", "2"])


def test_workers_that_cannot_start_end_the_service(index: Path) -> None:
    """With an error and exit status 3, as soon as it is clear that none will."""
    program = f"from tests.interfaces.web.test_workers import serve_broken; serve_broken({str(index)!r})"
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=LONGEST, check=False
    )
    assert found.returncode == 3
    assert "Error:" in found.stderr
    assert "no worker can start, after 3 attempts: damaged: for this process" in found.stderr


@pytest.mark.parametrize("count", [1, 2])
def test_a_model_that_is_missing_is_one_error(index: Path, count: int) -> None:
    """With one process and with several: a message that names it, exit status 3, no traceback."""
    command = [sys.executable, "-m", "qa_search", "serve", "--index", str(index), "--port", "0", "--model", "/missing"]
    found = subprocess.run(
        [*command, "--workers", str(count)], cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=LONGEST, check=False
    )
    assert found.returncode == 3
    assert "Error:" in found.stderr.splitlines()[-1]
    assert "'/missing'" in found.stderr.splitlines()[-1]
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("options", [["--token", "x"], ["--allow-origin", "https://club.example"]])
def test_a_widget_that_gets_no_answers_is_told_at_the_start(index: Path, options: list[str]) -> None:
    """Where a token is set and a site may use the widget; one of the two alone needs no remark.

    So is who can read a token of the widget's own, which needs both, and is another one.
    """
    command = [sys.executable, "-m", "qa_search", "serve", "--index", str(index), "--port", "0", "--model", "/missing"]

    def said(*more: str) -> str:
        return subprocess.run(
            [*command, *more], cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=LONGEST, check=False
        ).stderr

    assert "The widget gets no answers" not in said(*options)
    both = ("--token", "x", "--allow-origin", "https://a.example")
    assert "The widget gets no answers while --token is set" in said(*both)
    own = said(*both, "--widget-token", "y")
    assert "The widget's token is public: whoever sees a page of https://a.example can read it there" in own
    assert "--widget-token goes with --token" in said(*options, "--widget-token", "y")
    assert "--widget-token and --token must differ" in said(*both, "--widget-token", "x")


@contextmanager
def program(index: Path, folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command with two workers; yield it and its address once it is ready.

    Its standard error ends when the last of its processes does.
    """
    folder.mkdir()
    command = [sys.executable, "-m", "tests.reliability.words_service", str(index), "--port", "0", "--workers", "2"]
    with subprocess.Popen(
        [*command, *options], cwd=ROOT, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(folder)}
    ) as process:
        try:
            assert process.stderr is not None
            address = re.findall(r"http://[^/]+", process.stderr.readline())[0]
            assert ask(f"{address}/readyz")[0] == 200
            yield process, address
        finally:
            process.kill()


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_process_and_no_file_outlives_the_service(
    index: Path, tmp_path: Path, sent: signal.Signals, status: int
) -> None:
    """Whether it is asked to end or killed; questions that it has are answered before it ends as asked."""
    with program(index, tmp_path / "scratch") as (process, address), ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(search, address, "my knee5 hurts") for _ in range(8)]
        assert [one.result(LONGEST) for one in asking] == [200] * 8
        process.send_signal(sent)
        _, said = process.communicate(timeout=LONGEST)  # until nobody has the pipe open
        assert process.returncode == status
        assert "Traceback" not in said
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_signal_to_all_processes_ends_the_service_in_order(index: Path, tmp_path: Path) -> None:
    """As terminals and service managers send it: workers answer until the service lets them go."""
    with program(index, tmp_path / "scratch") as (process, address):
        children = Path(f"/proc/{process.pid}/task").glob("*/children")
        family = [int(child) for task in children for child in task.read_text().split()]
        assert len(family) >= 2
        for child in family:
            os.kill(child, signal.SIGTERM)
        assert search(address, "my knee5 hurts") == 200
        assert counts(address)["qa_search_workers_ended_total"] == 0
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LONGEST)
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize(("cores", "count"), [(1, 1), (2, 1), (7, 1), (8, 2), (16, 4), (64, 4)])
def test_the_default_follows_the_cores(cores: int, count: int) -> None:
    """One worker for every four, few enough for the memory of a small container on a large machine."""
    assert workers_for(cores) == count
    assert threads_of_each(count, cores) * count == cores


def test_each_worker_has_its_share_of_the_cores() -> None:
    """And two threads where there are two cores: one caller alone is then as fast as with one process."""
    assert [threads_of_each(count, 16) for count in (1, 4, 8, 16, 100)] == [16, 4, 2, 2, 2]
    assert [threads_of_each(count, 2) for count in (1, 2, 3)] == [2, 2, 2]
    assert threads_of_each(2, 1) == 1


def test_a_seat_takes_no_more_than_its_share() -> None:
    """So that no worker idles while another has a long batch: half of what waits and is being searched, of two."""
    lane = _Lane("short", 2)
    lane.queue = [_Waiting("knee", SearchParameters(), 4, answer=None) for _ in range(5)]  # type: ignore[arg-type]
    assert (lane.share(1), lane.share(2)) == (5, 3)
    lane.current[Seat()] = lane.queue[:3]
    assert lane.share(2) == 4
