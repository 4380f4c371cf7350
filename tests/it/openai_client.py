"""The official `openai` library against a daemon, unchanged: python openai_client.py SCENARIO

OPENAI_BASE_URL and OPENAI_API_KEY name the daemon. Each scenario asserts what a user of the library would see; what
the model saw and what was stored is looked at by the test that starts this.
"""

import sys

import openai

SESSION = "talk-1"
HELLO = [{"role": "user", "content": "hello"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}


def client(**options):
    options.setdefault("max_retries", 0)
    return openai.OpenAI(**options)


def refused(kind, status, code, call):
    try:
        call()
    except kind as error:
        assert error.status_code == status, error
        assert error.code == code, (error.code, error)
        return
    raise AssertionError(f"{kind.__name__} was not raised")


def models():
    listed = [model.id for model in client().models.list()]
    assert listed == ["assistant", "poet", "lab/m-1", "lab/m-2"], listed
    for name in ["assistant", "lab/m-1", "lab/any-other"]:
        assert client().models.retrieve(name).id == name
    refused(openai.NotFoundError, 404, "model_not_found", lambda: client().models.retrieve("nobody"))


def completion():
    for model in ["poet", "lab/m-9"]:
        answer = client().chat.completions.create(model=model, messages=HELLO, temperature=0.5, max_tokens=7)
        assert answer.object == "chat.completion" and answer.model == model
        choice = answer.choices[0]
        assert (choice.message.role, choice.message.content) == ("assistant", "You said: hello")
        assert choice.finish_reason == "stop"
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def stream():
    for usage in [True, False]:
        options = {"stream_options": {"include_usage": True}} if usage else {}
        chunks = list(client().chat.completions.create(model="assistant", messages=HELLO, stream=True, **options))
        assert len({chunk.id for chunk in chunks}) == 1
        said = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
        assert "".join(said) == "You said: hello", said
        assert len([text for text in said if text]) > 1, "it comes in pieces"
        reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
        assert reasons[-1] == "stop" and set(reasons[:-1]) == {None}
        told = [chunk.usage for chunk in chunks if chunk.usage]
        assert len(told) == (1 if usage else 0), told
        assert not usage or (not chunks[-1].choices and told[0].prompt_tokens > 0)


def refusals():
    def create(model="assistant", messages=HELLO, key=None):
        options = {"api_key": key} if key else {}
        return client(**options).chat.completions.create(model=model, messages=messages)

    refused(openai.NotFoundError, 404, "model_not_found", lambda: create(model="gpt-5"))
    refused(openai.NotFoundError, 404, "model_not_found", lambda: create(model="elsewhere/gpt-5"))
    refused(openai.AuthenticationError, 401, "unauthorized", lambda: create(key="wrong"))
    refused(openai.AuthenticationError, 401, "unauthorized", lambda: client(api_key="wrong").models.list())
    refused(openai.BadRequestError, 400, "bad_request", lambda: create(messages=[]))


def tools():
    create = client().chat.completions.create
    answer = create(model="lab/m-1", messages=HELLO, tools=[TOOL], tool_choice="auto").choices[0]
    assert answer.finish_reason == "tool_calls" and answer.message.content is None
    call = answer.message.tool_calls[0]
    assert (call.type, call.function.name, call.function.arguments) == ("function", "weather", '{"place":"Ulm"}')

    asked = [*HELLO, answer.message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
    assert create(model="lab/m-1", messages=asked, tools=[TOOL]).choices[0].message.content == "It rains in Ulm."

    name, arguments, reason = "", "", None
    for chunk in create(model="lab/m-1", messages=HELLO, tools=[TOOL], stream=True):
        for piece in chunk.choices[0].delta.tool_calls or []:
            assert piece.index == 0
            name += piece.function.name or ""
            arguments += piece.function.arguments or ""
        reason = chunk.choices[0].finish_reason or reason
    assert (name, arguments, reason) == ("weather", '{"place":"Ulm"}', "tool_calls")


def session():
    headers = {"X-Mosaic-Session": SESSION}
    create = client(default_headers=headers).chat.completions.create
    history = [{"role": "system", "content": "Be rude."}, {"role": "user", "content": "old"}, *HELLO]
    answer = create(model="poet", messages=history)
    assert answer.choices[0].message.content == "You said: hello" and answer.usage.prompt_tokens > 0
    again = [{"role": "user", "content": "and again"}]
    chunks = list(create(model="poet", messages=again, stream=True, stream_options={"include_usage": True}))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == "You said: and again", said
    assert chunks[-1].usage.completion_tokens > 0
    other = create(model="lab/m-7", messages=[{"role": "user", "content": "you there"}])
    assert other.choices[0].message.content == "You said: you there" and other.model == "lab/m-7"
    refused(openai.NotFoundError, 404, "model_not_found", lambda: create(model="nobody", messages=HELLO))


def retries():
    """The first try times out after it was accepted; the library tries again by itself, without a key."""

    def tell(request):
        print("try", request.headers["x-stainless-retry-count"], flush=True)

    transport = openai.DefaultHttpxClient(event_hooks={"request": [tell]})
    patient = client(max_retries=2, timeout=2.0, http_client=transport, default_headers={"X-Mosaic-Session": SESSION})
    answer = patient.chat.completions.create(model="assistant", messages=HELLO)
    assert answer.choices[0].message.content == "worth the wait", answer


SCENARIOS = [models, completion, stream, refusals, tools, session, retries]

if __name__ == "__main__":
    {scenario.__name__: scenario for scenario in SCENARIOS}[sys.argv[1]]()
