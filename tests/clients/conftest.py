"""Fixtures: one server for the whole run, a fresh user for each test."""

import os
import tempfile
from pathlib import Path

import pytest

import kalends
from simulator import Simulator

POSTGRES = os.environ.get("KALENDS_TEST_POSTGRES")


@pytest.fixture(scope="session")
def database():
    """The database address that servers of this run share, or None for SQLite in each server's own folder."""
    if not POSTGRES:
        yield None
        return
    url, name = kalends.new_database(POSTGRES)
    yield url
    kalends.drop_database(POSTGRES, name)


@pytest.fixture(scope="session")
def folder():
    with tempfile.TemporaryDirectory(prefix="kalends-clients-") as path:
        yield Path(path)


@pytest.fixture(scope="session")
def server(folder, database):
    """Logs everything it can, so that test_secrets has something to search."""
    variables = {"KALENDS_LOG__LEVEL": "trace", "KALENDS_LOG__ACCESS": "all", "KALENDS_METRICS_PUBLIC": "true"}
    one = kalends.Server(folder / "server", database, variables=variables).start()
    yield one
    assert one.stop() == 0, "SIGTERM ends the server with 0"


@pytest.fixture
def user(server):
    return server.new_user()


@pytest.fixture
def calendar(server, user):
    return kalends.Calendar(server, user)


@pytest.fixture(scope="session")
def simulator():
    """The simulated providers; tests use accounts of their own there."""
    one = Simulator().start()
    yield one
    one.stop()


@pytest.fixture(scope="session")
def secrets_seen():
    """Secrets that this run has used; test_secrets searches for them."""
    return set()


def pytest_collection_modifyitems(items):
    """What looks at the whole run comes last."""
    items.sort(key=lambda item: item.path.name == "test_zz_secrets.py")
