import json

from experiments import filter_memory


def test_the_command_tells_both_ways(capfd):
    filter_memory.main(["--batch", "1", "--side", "64"])
    told = dict(line.split(": ", 1) for line in capfd.readouterr().out.splitlines())
    assert told.keys() == filter_memory.WAYS.keys()
    assert all(json.loads(figures).keys() == {"MB", "seconds"} for figures in told.values())
