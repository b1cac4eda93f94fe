"""The relay turnstile on a real chip's pins, under gpiozero, by lgpio and by libgpiod."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.vm]


@pytest.mark.parametrize(
    ("library", "factory"), [("lgpio", "LGPIOFactory"), ("gpiod", "GpiodFactory")]
)
def test_a_relay_on_real_pins_pulses_hears_of_passage_alarm_and_key_and_is_left_at_rest(
    guest, library, factory
):
    proof = guest.run("pins_proof.py", library)
    assert proof["claimed"]["library"] == factory
    assert not any(proof["claimed"]["relay"])  # claiming the pins opens nothing
    assert proof["passage"]["relay"] == [True, False]
    assert 0.95 < proof["passage"]["pulse_s"] < 2
    assert proof["passage"]["events"] == ["passed"]
    assert 0.5 < proof["passage"]["passed_after_s"] < 3  # the person takes the first half second
    assert proof["inputs"]["events"] == ["fire", "fire_over", "lock", "lock_over"]
    assert proof["inputs"]["relay_edges"] == 0  # the alarm's own wire frees the arm, not the gate
    assert "GPIO busy" in proof["second_claim"]["said"]
    assert proof["left_in_a_pulse"]["on_for_s"] < 0.9  # not by the end of its pulse
