"""The TypeScript client: its types are those of the API, its example compiles and runs."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import soundfile

from tests.e2e.clients.environments import node_environment
from tests.e2e.command import STEMS, excerpt
from tests.e2e.service import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.e2e.service import Service

ROOT = Path(__file__).parents[2]
CLIENT = Path("clients/typescript")

DOCUMENTED = """
import { type Client, ProblemError, completed, connect, follow, form, result } from "./client.ts";

declare const api: Client;
declare const bytes: ArrayBuffer, song: Blob;
declare const code: string, job: string, jobId: string, key: string, mashup: string, stem: string;
declare const token: string, url: string, vocals: string;
"""
"""What the examples of the documentation have in common."""

BROKEN_STREAM = """
import { createServer } from "node:http";
import { connect, follow } from "./client.ts";

const asked: unknown[] = [];
const server = createServer((request, response) => {
  const last = request.headers["last-event-id"] ?? null;
  asked.push(last);
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  const event = last
    ? 'data: {"status": "completed"}\\nid: 1-9\\n\\n'
    : 'data: {"status": "processing"}\\nid: 1-7-separate\\n\\ndata: {"sta';
  response.write(event, () => response.destroy());
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as { port: number };
const followed: string[] = [];
for await (const { status } of follow(connect(`http://127.0.0.1:${port}`, ""), "0")) {
  followed.push(status);
}
server.close();
console.log(JSON.stringify({ followed, asked }));
"""
"""Program whose server breaks off in the middle of an event."""

pytestmark = pytest.mark.slow


class Project:
    """Copy of the client with its packages."""

    def __init__(self, folder: Path) -> None:
        package = json.loads((ROOT / CLIENT / "package.json").read_text())
        wanted = package["dependencies"] | package["devDependencies"]
        environment = node_environment(folder, *(f"{name}@{one}" for name, one in wanted.items()))
        self.folder = folder / CLIENT
        self._node = environment.command
        self._packages = folder / "node_modules"
        shutil.copytree(ROOT / CLIENT, self.folder)
        (folder / "docs").mkdir()
        shutil.copy(ROOT / "docs" / "openapi.json", folder / "docs")

    def node(self, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program with Node."""
        return subprocess.run(
            [*self._node, *arguments],
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), **variables},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def compile(self, *options: str | Path) -> Sequence[str]:
        """Return the errors of the compiler."""
        return self.node(self._packages / "typescript" / "bin" / "tsc", *options).stdout.split("\n")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("client"))


def test_the_types_are_generated_from_the_document(project: Project) -> None:
    types = project.folder / "schema.d.ts"
    types.unlink()
    done = project.node("generate.ts")
    assert done.returncode == 0, done.stderr
    assert types.read_text() == (ROOT / CLIENT / "schema.d.ts").read_text(), "npm run generate"


def test_the_example_compiles(project: Project) -> None:
    assert project.compile() == [""]


def test_wrong_calls_do_not_compile(project: Project) -> None:
    wrong = project.folder / "wrong.ts"
    wrong.write_text(
        'import { connect, result } from "./client.ts";\n'
        'const api = connect("https://api.test", "");\n'
        'api.GET("/api/no-such-route");\n'
        'api.POST("/api/audio/separate", { body: { audio: "key", format: "doc" } });\n'
        'api.GET("/api/jobs", { params: { query: { status: "done" } } });\n'
        'const { jobId } = await result(api.POST("/api/jobs/{job_id}/retry", {\n'
        '  params: { path: { job_id: "0" } },\n'
        "}));\n"
        "export const number: number = jobId;\n"
    )
    try:
        errors = project.compile()
    finally:
        wrong.unlink()
    lines = sorted({int(one.split("(")[1].split(",")[0]) for one in errors if "error TS" in one})
    assert lines == [3, 4, 5, 9]


def test_the_examples_of_the_documentation_compile(project: Project) -> None:
    blocks = [
        block
        for page in (ROOT / "docs" / "api.md", ROOT / CLIENT / "README.md")
        for block in re.findall(r"```ts\n(.*?)```", page.read_text(), re.DOTALL)
        if "standardwebhooks" not in block
    ]
    assert len(blocks) > 10
    bodies = (re.sub(r"^ *import .*\n", "", block, flags=re.MULTILINE) for block in blocks)
    functions = (f"async () => {{\n{body}}};\n" for body in bodies)
    (project.folder / "docs.ts").write_text(DOCUMENTED + "".join(functions))
    try:
        assert project.compile() == [""]
    finally:
        (project.folder / "docs.ts").unlink()


def test_following_resumes_where_the_stream_broke(project: Project) -> None:
    (project.folder / "broken.ts").write_text(BROKEN_STREAM)
    done = project.node("broken.ts")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "followed": ["processing", "completed"],
        "asked": [None, "1-7-separate"],
    }


def test_the_example_makes_a_mashup(project: Project, service: Service, tmp_path: Path) -> None:
    for name, start_s in (("one.wav", 0.0), ("other.wav", 8.0)):
        soundfile.write(tmp_path / name, excerpt(8.0, start_s), 44_100)
    api = {
        "MASHUP_API_URL": service.facts["api_url"],
        "MASHUP_API_TOKEN": service.facts["api_token"],
    }
    before = {row["id"] for row in service.sql("SELECT id FROM ai_jobs")}
    songs = (tmp_path / "one.wav", tmp_path / "other.wav")
    done = project.node("example.ts", *songs, **api)
    assert done.returncode == 0, done.stderr
    lines = [line.split(" ") for line in done.stderr.splitlines()]
    assert {line[0] for line in lines if len(line) == 2} == set(STEMS)
    states = [line[0] for line in lines if line[-1] == "%"]
    assert states[-1] == "completed"
    assert set(states) <= {"queued", "processing", "completed"}
    assert soundfile.info(io.BytesIO(read(done.stdout.strip()))).duration > 4.0
    jobs = [row for row in service.sql("SELECT * FROM ai_jobs") if row["id"] not in before]
    made = sorted((row["job_type"], row["status"]) for row in jobs)
    assert made == [("mashup", "completed"), ("separate", "completed")]


def test_the_example_names_the_problem(project: Project, service: Service, tmp_path: Path) -> None:
    (tmp_path / "text.mp3").write_text("no song")
    songs = (tmp_path / "text.mp3", tmp_path / "text.mp3")
    api = {"MASHUP_API_URL": service.facts["api_url"]}
    refused = project.node("example.ts", *songs, **api, MASHUP_API_TOKEN="mashup_unknown")
    assert refused.returncode == 1
    assert "code: 'unauthenticated'" in refused.stderr
    token = service.facts["api_token"]
    unreadable = project.node("example.ts", *songs, **api, MASHUP_API_TOKEN=token)
    assert "code: 'unsupported_audio'" in unreadable.stderr
