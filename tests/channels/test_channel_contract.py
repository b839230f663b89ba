"""What every channel promises, on a real server each."""

from __future__ import annotations

import pytest
from rigs import RIGS, SECRET, Rig, message

from tocsin.engine.ports import DeliveryError

every_channel = pytest.mark.parametrize("rig_of", RIGS, ids=lambda rig: rig.__name__)


@every_channel
async def test_a_page_arrives_with_incident_text_and_a_way_to_acknowledge(rig_of: type[Rig]) -> None:
    async with rig_of() as rig:
        await rig.channel.deliver(message())
        (arrived,) = rig.delivered()
    for expected in (
        "SEV1",
        "7",
        "Backend 5xx rate",
        "The backend answers 5xx.",
        "https://tocsin.example.com/a/signed",
    ):
        assert expected in arrived
    assert "https://tocsin.example.com/incidents/7" in arrived


@every_channel
async def test_the_idempotency_key_can_be_seen_by_the_other_side(rig_of: type[Rig]) -> None:
    async with rig_of() as rig:
        await rig.channel.deliver(message(key="inc1:page:0"))
        assert "inc1:page:0" in rig.delivered()[0]


@every_channel
async def test_words_of_every_language_arrive_as_they_are(rig_of: type[Rig]) -> None:
    async with rig_of() as rig:
        await rig.channel.deliver(message("Příliš žluťoučký — 障害 🔥 مشكلة", title="Výpadek 障害"))
        (arrived,) = rig.delivered()
    assert "Příliš žluťoučký — 障害 🔥 مشكلة" in arrived
    assert "Výpadek 障害" in arrived


@every_channel
@pytest.mark.parametrize("permanent", [True, False])
async def test_a_refusal_says_whether_to_try_again(rig_of: type[Rig], permanent: bool) -> None:
    async with rig_of() as rig:
        rig.refuse(permanent=permanent)
        with pytest.raises(DeliveryError) as caught:
            await rig.channel.deliver(message())
        assert caught.value.permanent is permanent
        assert rig.delivered() == []


@every_channel
async def test_a_message_that_was_taken_without_a_word_may_have_arrived(rig_of: type[Rig]) -> None:
    async with rig_of() as rig:
        rig.vanish()
        with pytest.raises(DeliveryError) as caught:
            await rig.channel.deliver(message())
        assert (caught.value.permanent, caught.value.uncertain) == (False, True)


@pytest.mark.parametrize("rig_of", [rig for rig in RIGS if rig.__name__ != "ConsoleRig"], ids=lambda rig: rig.__name__)
@pytest.mark.parametrize("permanent", [True, False])
async def test_what_was_refused_did_not_arrive(rig_of: type[Rig], permanent: bool) -> None:
    async with rig_of() as rig:
        rig.refuse(permanent=permanent)
        with pytest.raises(DeliveryError) as caught:
            await rig.channel.deliver(message())
        assert not caught.value.uncertain


@pytest.mark.parametrize("rig_of", [rig for rig in RIGS if rig.__name__ != "ConsoleRig"], ids=lambda rig: rig.__name__)
async def test_where_nobody_listens_nothing_arrived(rig_of: type[Rig]) -> None:
    async with rig_of() as rig:
        pass
    with pytest.raises(DeliveryError) as caught:
        await rig.channel.deliver(message())
    assert (caught.value.permanent, caught.value.uncertain) == (False, False)
    await rig.channel.close()


@every_channel
async def test_control_characters_and_direction_overrides_do_not_arrive(rig_of: type[Rig]) -> None:
    nasty = "\x1b[31mred\x1b[0m \x07bell \u202eesrever\u202c \x00 \ud800 end"
    async with rig_of() as rig:
        await rig.channel.deliver(message(nasty, title=nasty, key=f"key\r\nX: {nasty}"))
        (arrived,) = rig.delivered()
    assert "red �bell �esrever� � � end" in arrived
    assert not set(arrived) & set("\x1b\x07\u202e\u202c\x00\ud800")


@every_channel
async def test_a_title_of_many_lines_stays_one_line(rig_of: type[Rig]) -> None:
    async with rig_of() as rig:
        await rig.channel.deliver(message(title="down\r\nBcc: all@example.com\r\n\r\n<b>"))
        assert "down Bcc: all@example.com " in rig.delivered()[0].replace("&lt;", "<")


@every_channel
async def test_ten_thousand_characters_and_more_arrive_cut_with_a_note(rig_of: type[Rig]) -> None:
    async with rig_of() as rig:
        await rig.channel.deliver(message("<line & more>\n" * 5000))
        (arrived,) = rig.delivered()
    assert "[cut: the rest stands on the incident page]" in arrived
    assert 10_000 < len(arrived) < 60_000


@every_channel
async def test_neither_repr_nor_errors_show_a_secret(rig_of: type[Rig]) -> None:
    async with rig_of() as rig:
        rig.refuse(permanent=False)
        with pytest.raises(DeliveryError) as caught:
            await rig.channel.deliver(message())
        assert SECRET not in repr(rig.channel) + str(caught.value)


@every_channel
async def test_a_message_for_the_whole_team_is_taken(rig_of: type[Rig]) -> None:
    async with rig_of() as rig:
        update = message("All is well.", kind="update", to=None)
        assert rig.channel.accepts(update)
        await rig.channel.deliver(update)
        assert "All is well." in rig.delivered()[0]
