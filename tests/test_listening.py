import errno

from bridge.listening import listen_problem


def test_a_port_without_rights_says_which_ones_need_none() -> None:
    said = listen_problem("0.0.0.0", 81, OSError(errno.EACCES, "Permission denied (while attempting to bind)"))
    assert said == "HTTP port 81 needs rights that this user does not have; ports from 1024 need none: --port 8081"
    said = listen_problem("0.0.0.0", 8080, OSError(errno.ENOBUFS, "No buffer space (while attempting to bind)"))
    assert said == "HTTP cannot listen on 0.0.0.0:8080: No buffer space available"
