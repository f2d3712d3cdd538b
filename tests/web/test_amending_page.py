"""Questions, answers, returns and changes on the page and in the API."""

import html
import re
from typing import Any

import httpx
import pytest


def plain(answer: httpx.Response) -> str:
    """The page's words without its markup."""
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", answer.text).split()))


def hidden(answer: httpx.Response) -> dict[str, str]:
    """The fields of the last form of a page, as it would be sent."""
    form = answer.text.rpartition("<form")[2]
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)
    return {name: html.unescape(value) for name, value in found}


async def say(client: httpx.AsyncClient, approval_id: str, verdict: str, comment: str = "", **more: str) -> Any:
    sent = {"verdict": verdict, "comment": comment, **more}
    return await client.post(f"/approvals/{approval_id}/decisions", data=sent)


async def test_a_question_lies_with_the_requester_until_they_answer_and_everybody_sees_that(house: Any) -> None:
    approval_id = await house.asked()
    controller, requester = await house.visitor("controller"), await house.visitor("billing_admin")
    answer = await say(controller, approval_id, "ask", "Which outage?")
    assert answer.headers["location"] == f"/approvals/{approval_id}?said=ask"
    words = plain(await (await house.visitor("finance")).get(f"/approvals/{approval_id}"))
    assert "Needs information" in words
    assert "waiting on the requester since" in words
    assert "it is returned to them; nothing is credited" in words
    assert 'value="answer"' not in (await controller.get(f"/approvals/{approval_id}")).text
    mine = await requester.get("/approvals?tab=mine")
    assert approval_id in mine.text
    page = await requester.get(f"/approvals/{approval_id}")
    assert "Controller asks you Which outage?" in plain(page)
    answer = await say(requester, approval_id, "answer", "The one of May.")
    assert answer.headers["location"] == f"/approvals/{approval_id}?said=answer"
    words = plain(await controller.get(f"/approvals/{approval_id}"))
    assert "Which outage? Controller asked The one of May. Billing Admin answered" in words
    assert (await say(controller, approval_id, "approve")).status_code == 303


@pytest.mark.parametrize(
    ("verdict", "wanted"), [("ask", "Say what you want to know"), ("return", "Say what should be")]
)
async def test_a_question_and_a_return_need_words_and_say_so_at_their_own_field(
    house: Any, verdict: str, wanted: str
) -> None:
    approval_id = await house.asked()
    answer = await say(await house.visitor("controller"), approval_id, verdict, " ")
    assert answer.status_code == 403
    assert wanted in answer.text
    assert f'id="{verdict}-fault"' in answer.text
    assert f'<a href="#{verdict}">' in answer.text


async def test_what_is_returned_is_changed_on_a_page_that_says_what_is_kept_and_who_is_asked(house: Any) -> None:
    approval_id = await house.asked()
    controller, requester = await house.visitor("controller"), await house.visitor("billing_admin")
    await say(controller, approval_id, "return", "Half of it, please.")
    words = plain(await requester.get(f"/approvals/{approval_id}"))
    assert 'Returned for changes: "Half of it, please."' in words
    assert "Change it" in words
    form = await requester.get(f"/approvals/{approval_id}/amendment")
    assert 'value="4200.00"' in form.text
    sent = {**hidden(form), "amount": "2100.00", "reason": "service_outage", "note": "", "memo": "", "comment": "Half."}
    check = await requester.post(f"/approvals/{approval_id}/amendment/check", data=sent)
    assert "The amount is 2,100.00 USD instead of 4,200.00 USD." in plain(check)
    again = await requester.post(f"/approvals/{approval_id}/amendment/form", data=hidden(check))
    assert 'value="2100.00"' in again.text
    done = await requester.post(f"/approvals/{approval_id}/amendment", data=hidden(check))
    assert done.headers["location"] == f"/approvals/{approval_id}?said=amend"
    twice = await requester.post(f"/approvals/{approval_id}/amendment", data=hidden(check))
    assert twice.headers["location"] == f"/approvals/{approval_id}?said=amend"
    words = plain(await controller.get(f"/approvals/{approval_id}"))
    assert "Billing Admin changed it: the amount is 2,100.00 USD instead of 4,200.00 USD" in words
    assert "Approve 2,100.00 USD" in words
    assert (await say(controller, approval_id, "approve")).status_code == 303


async def test_more_than_a_smaller_amount_is_asked_anew_and_a_page_of_before_decides_nothing(house: Any) -> None:
    approval_id = await house.asked()
    controller, requester = await house.visitor("controller"), await house.visitor("billing_admin")
    stale = await controller.get(f"/approvals/{approval_id}")
    sent = {"round": "0", "amount": "38000.00", "reason": "service_outage", "note": "", "memo": "", "comment": ""}
    check = await requester.post(f"/approvals/{approval_id}/amendment/check", data=sent)
    assert "Everybody is asked anew." in plain(check)
    assert "Controller and Legal" in plain(check)
    assert (await requester.post(f"/approvals/{approval_id}/amendment", data=hidden(check))).status_code == 303
    assert 'name="round" value="0"' in stale.text
    answer = await say(controller, approval_id, "approve", round="0")
    assert answer.status_code == 409
    assert "has changed since; read it again" in plain(answer)
    older = await requester.post(f"/approvals/{approval_id}/amendment", data={**sent, "amount": "1.00"})
    assert older.status_code == 409


async def test_what_is_mistyped_is_said_at_its_field_and_what_was_typed_stays(house: Any) -> None:
    approval_id = await house.asked()
    requester = await house.visitor("billing_admin")
    sent = {"round": "0", "amount": "a lot", "reason": "nonsense", "note": "=1+1", "memo": "", "comment": ""}
    answer = await requester.post(f"/approvals/{approval_id}/amendment/check", data=sent)
    assert answer.status_code == 422
    for field in ("amount", "reason", "note"):
        assert f'id="{field}-fault"' in answer.text
    assert 'value="a lot"' in answer.text
    assert "=1+1" in html.unescape(answer.text)


@pytest.mark.parametrize("role", ["controller", "finance"])
async def test_the_form_is_nobody_elses(house: Any, role: str) -> None:
    approval_id = await house.asked()
    visitor = await house.visitor(role)
    assert (await visitor.get(f"/approvals/{approval_id}/amendment")).status_code == 403
    assert "amendment" not in (await visitor.get(f"/approvals/{approval_id}")).text


async def test_over_the_api_it_is_asked_answered_returned_and_changed(house: Any) -> None:
    approval_id = await house.asked()
    controller, requester = await house.caller("controller"), await house.caller("billing_admin")
    place = f"/api/v1/approvals/{approval_id}"
    for caller, verdict, state in (
        (controller, "ask", "needs_information"),
        (requester, "answer", "waiting"),
        (controller, "return", "returned"),
    ):
        answer = await caller.post(f"{place}/decisions", json={"verdict": verdict, "comment": "because"})
        assert (answer.status_code, answer.json()["approval"]["state"]) == (200, state)
    assert answer.json()["approval"]["waits_for_text"] == "the requester"
    seen = (await requester.post(f"{place}/amendment/preview", json={"amount": "3000.00"})).json()
    assert (seen["keeps"], seen["changes"]) == (True, ["the amount is 3,000.00 USD instead of 4,200.00 USD"])
    wanted = {"amount": "3000.00", "round": 0, "comment": "Less.", "previewed": seen["previewed"]}
    done = [(await requester.post(f"{place}/amendment", json=wanted)).json() for _ in range(2)]
    assert [one["answer"] for one in done] == ["accepted", "already_received"]
    assert (done[0]["approval"]["round"], done[0]["approval"]["amount"]) == (1, "3000.00")
    assert (await requester.post(f"{place}/amendment", json={"amount": "-1"})).status_code == 422
    assert (await controller.post(f"{place}/amendment", json={"amount": "1.00"})).status_code == 403
    told = [step["text"] for step in (await controller.get(place)).json()["timeline"]]
    wanted_words = "changed it: the amount is 3,000.00 USD instead of 4,200.00 USD. What was decided before is kept"
    assert told.count(wanted_words) == 1
