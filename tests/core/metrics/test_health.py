from core.metrics.health import Pulse


def test_pulse_faults_once_its_time_is_over():
    pulse = Pulse(limit_s=5.0)

    assert pulse.fault("the last look") == ""
    pulse._beaten_s -= 8.0
    assert pulse.fault("the last look") == "the last look was 8 s ago"
    pulse.beat()
    assert pulse.fault("the last look") == ""
