from tests.support.ports import free_ports


def test_no_port_is_given_twice() -> None:
    # Left to the system, of so many some would be the same.
    given = [free_ports(1)[0] for _ in range(1000)]
    assert len(set(given)) == len(given)
