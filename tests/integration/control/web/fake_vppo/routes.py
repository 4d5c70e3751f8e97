"""The made-up API: paths and shapes of the real one, the page mounted on top."""

import uuid
from typing import Any

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response
from history import artifacts
from objects import ago
from spotlight import answers
from state import World
from streams import router as streams_router

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.loading import load_job
from vppo_services.web.mount import mount

WITHOUT_QUERY = ("/explain", ":promote", ":pause", ":resume", ":cancel")
"""Where the API refuses `uid`, which it takes elsewhere."""

EXPLAINED = {
    "Queued": (
        "Waiting for pool h100: queue gpu is next after 1 job, and 8 GPUs are held by "
        "qwen7b-geometry-vppo (about 16 min left).",
        "Raise its priority, or wait.",
    ),
    "Running": ("Training: step 125 of 200, scoring dependency.", ""),
    "Paused": ("Paused on request; step 90 is saved.", "Resume it to go on from step 90."),
    "Failed": (
        "Failed after 2 attempts: CUDA out of memory in learner rank 3.",
        "Lower learner.maxTokensPerMicroBatch and clone the job.",
    ),
}


def problem(status: int, code: str, detail: str, **more: Any) -> JSONResponse:
    """An error as the API writes it."""
    body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail}
    return JSONResponse(body | more, status, media_type="application/problem+json")


def make_app() -> FastAPI:
    """The application."""
    app = FastAPI()
    world = World()
    api = APIRouter(prefix="/v1")
    api.include_router(_reading(world))
    api.include_router(_left_behind(world))
    api.include_router(_writing(world))
    api.include_router(streams_router(world))
    app.include_router(api)
    mount(app)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/fake/reset")
    async def reset(jobs: str = "five", token: str = "", failing: str = "") -> None:
        world.reset(jobs=jobs, token=token, failing=failing)

    @app.middleware("http")
    async def guard(request: Request, call_next: Any) -> Response:
        path = request.url.path
        if path.startswith("/v1"):
            if world.token and request.headers.get("authorization") != f"Bearer {world.token}":
                return problem(401, "unauthorized", "a token is needed", hint="send one")
            if world.failing and path.endswith(world.failing):
                return problem(
                    503, "store_unavailable", "The archive is locked.", hint="Try again."
                )
            if request.url.query and path.endswith(WITHOUT_QUERY):
                return problem(422, "invalid_request", "There is no such parameter.")
            parts = path.split("/")
            name = parts[3].partition(":")[0] if len(parts) > 3 and parts[2] == "jobs" else ""
            if name and world.find(name) is None:
                return problem(
                    404, "not_found", f"There is no job named '{name}'.", hint="List them."
                )
        answer: Response = await call_next(request)
        return answer

    return app


def _reading(world: World) -> APIRouter:
    routes = APIRouter()

    @routes.get("/jobs")
    async def jobs(
        limit: int = 20,
        cursor: int = 0,
        phase: list[str] = Query(default=[]),  # noqa: B008 - FastAPI's way
        queue: str = "",
        name: str = "",
    ) -> Any:
        found = world.listed(phases=phase, queue=queue, name=name)
        after = cursor + limit
        more = str(after) if after < len(found) else None
        return JSONResponse({"items": found[cursor:after], "nextCursor": more})

    @routes.get("/queues")
    async def queues() -> Any:
        gpu = {"name": "gpu", "pool": "h100", "waiting": 2, "running": 1}
        return {"items": [{"name": "default", "pool": "local", "waiting": 0, "running": 0}, gpu]}

    @routes.get("/jobs/{name}")
    async def job(name: str) -> Any:
        return world.find(name)

    @routes.get("/jobs/{name}/explain")
    async def explain(name: str) -> Any:
        found = world.find(name) or {}
        phase = found["status"]["phase"]
        sentence, hint = EXPLAINED.get(phase, (f"The job is {phase.lower()}.", ""))
        cause = {"reason": "PoolBusy", "message": "pool h100 runs one job at a time"}
        return {"sentence": sentence, "causes": [cause] if phase == "Queued" else [], "hint": hint}

    @routes.get("/jobs/{name}/attempts")
    async def attempts(name: str) -> Any:
        rows = (world.find(name) or {})["status"]["attempts"]
        return {"items": [row | {"lostSteps": _lost(row)} for row in rows]}

    @routes.get("/jobs/{name}/checkpoints")
    async def checkpoints(name: str) -> Any:
        return {"items": world.checkpoints.get(name, [])}

    return routes


def _left_behind(world: World) -> APIRouter:
    routes = APIRouter()

    @routes.get("/jobs/{name}/artifacts")
    async def files(name: str) -> Any:
        return {"items": artifacts(name) if (world.find(name) or {})["status"]["attempt"] else []}

    @routes.get("/jobs/{name}/artifacts/{path:path}")
    async def file(path: str) -> Any:
        return Response(f"the content of {path}", media_type="text/plain")

    @routes.get("/jobs/{name}/manifest")
    async def manifest() -> Any:
        packages = {"torch": "2.13.0", "vllm": "0.32.0", "transformers": "5.19.0"}
        return {"seed": 0, "specHash": "9f2c41", "vppoVersion": "0.1.0", "packages": packages}

    @routes.get("/jobs/{name}/spotlight")
    async def steps(name: str) -> Any:
        return {"steps": [item["step"] for item in world.checkpoints.get(name, [])]}

    @routes.get("/jobs/{name}/spotlight/{step}")
    async def spotlight(step: int) -> Any:
        return answers(step)

    return routes


def _writing(world: World) -> APIRouter:
    routes = APIRouter()

    @routes.post("/jobs")
    async def create(request: Request, dryRun: bool = False) -> Any:
        try:
            job = load_job((await request.body()).decode())
        except InvalidSpecError as error:
            lines = [_entry(line) for line in str(error).splitlines()]
            return problem(422, "invalid_spec", str(error), errors=lines)
        made = _object(job)
        if dryRun:
            return _plan(made)
        if world.find(job.metadata.name):
            detail = f"A job named '{job.metadata.name}' exists."
            return problem(409, "name_taken", detail, hint="Choose another name.")
        await world.add(made)
        return JSONResponse(made, 201)

    @routes.post("/jobs/{name}:{verb}")
    async def verb(name: str, verb: str) -> Any:
        if name == "grpo-large-batch":
            return problem(409, "not_allowed_now", "The job is finished.", hint="Clone it.")
        return JSONResponse(await world.move(name, verb), 202)

    @routes.post("/jobs/{name}/checkpoints/{step}:promote")
    async def promote(name: str, step: int) -> Any:
        found = next(item for item in world.checkpoints[name] if item["step"] == step)
        found["isPromoted"] = True
        return JSONResponse(found, 202)

    @routes.delete("/jobs/{name}/checkpoints/{step}")
    async def remove(name: str, step: int) -> Any:
        kept = world.checkpoints[name]
        if step == kept[-1]["step"]:
            detail = "The newest checkpoint of a job that is not finished must stay."
            return problem(409, "not_allowed_now", detail, hint="Delete an older one.")
        world.checkpoints[name] = [item for item in kept if item["step"] != step]
        return JSONResponse({}, 202)

    return routes


def _lost(row: dict[str, Any]) -> int:
    is_bad = row["outcome"] in ("Failed", "Lost")
    return row["lastStep"] - row["checkpointStep"] if is_bad else 0


def _entry(line: str) -> dict[str, str]:
    sentence, _, hint = line.partition("; ")
    return {"param": line.split(" ")[0], "detail": sentence, "hint": hint}


def _object(job: VPPOJob) -> dict[str, Any]:
    body = job.model_dump(mode="json", by_alias=True)
    name = body["metadata"]["name"] or f"job-{uuid.uuid4().hex[:6]}"
    body["metadata"] |= {
        "name": name,
        "uid": f"uid-{name}",
        "creationTimestamp": ago().isoformat(),
        "deletionTimestamp": None,
        "generation": 1,
        "resourceVersion": "1",
    }
    queue = {"name": "gpu", "pool": "h100", "position": 3, "reason": "PoolBusy"}
    empty = {"totalSteps": 0, "step": 0, "stage": "", "stageSeconds": {}}
    body["status"] = {"phase": "Queued", "queue": queue, "progress": empty, "attempt": 0}
    body["status"] |= {"attempts": [], "conditions": [], "checkpoint": None}
    body["status"]["usage"] = {"gpus": 0, "gpuSecondsAllocated": 0.0, "gpuSecondsLost": 0.0}
    return body


def _plan(made: dict[str, Any]) -> dict[str, Any]:
    return {
        "job": {key: made[key] for key in ("apiVersion", "kind", "metadata", "spec")},
        "planHash": "sha256:1f0c",
        "process": {"command": ["python", "-m", "vppo_services.driver"], "environment": {}},
        "gpus": 8,
        "queue": {"name": "gpu", "pool": "h100", "waiting": 2, "isFree": False},
        "price": {"perHour": 23.6, "estimated": 41.3},
        "estimatedSeconds": 6300.0,
        "warnings": ["checkpoint.everySteps is 0: a lost node loses the whole run"],
    }
