"""Between HTTP and the layers: a request becomes a call, an answer becomes a response."""

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from standin.call import Call, Layer
from standin.ids import Ids
from standin.settings import API_VERSION

LARGEST_BODY = 4 * 1024 * 1024


class Api:
    """The API as an ASGI application."""

    def __init__(self, layers: Layer) -> None:
        self._layers = layers
        self._ids = Ids()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        try:
            response = await self._respond(Request(scope, receive))
        except ClientDisconnect:
            return  # half a request was never a call
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        body = await request.body()
        if len(body) > LARGEST_BODY:
            return JSONResponse({"error": {"type": "invalid_request_error", "message": "Request too large."}}, 413)
        call = self._call(request, body)
        answer = await self._layers(call)
        return JSONResponse(answer.body, answer.status, headers={**_headers(call), **answer.headers})

    def _call(self, request: Request, body: bytes) -> Call:
        slow = request.scope.get("state", {}).get("standin_slow_seconds", 0.0)
        return Call(
            method=request.method,
            path=request.scope["path"],
            headers=request.headers,
            query=request.scope["query_string"],
            body=body,
            request_id=self._ids.new("req"),
            slow_seconds=slow,
        )


def _headers(call: Call) -> dict[str, str]:
    headers = {"Request-Id": call.request_id, "Stripe-Version": call.headers.get("stripe-version", API_VERSION)}
    return headers | ({"Idempotency-Key": call.idempotency_key} if call.idempotency_key else {})
