"""`portillon bench`: the tables of the device it runs on."""

import json

from portillon.__main__ import main


def test_the_tables_say_what_was_measured_and_beside_what(tmp_path, capsys):
    assert main(["bench", "--quick", "--json", "--folder", str(tmp_path)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {"model", "cores", "memory_mib"} <= said["machine"].keys()
    memory, decoding, commits = said["tables"]
    names = [name for name, _ in decoding["rows"]]
    assert len(names) == 12
    assert all(figure > 0 for _, figures in decoding["rows"] for figure in figures)
    (_, journal), (_, bare), (_, ratio) = commits["rows"]
    assert ratio == [ours / theirs for ours, theirs in zip(journal, bare, strict=True)]
    held = dict(memory["rows"])["list of 1,000 tickets, its file"][1]
    assert 0 < held < 1  # under a MiB
    assert list(tmp_path.iterdir()) == []


def test_the_tables_are_printed_for_people_too(tmp_path, capsys):
    assert main(["bench", "--quick", "--folder", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "1280x720 the gate's pipeline" in said
    assert "fdatasync" in said


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path, capsys):
    assert main(["bench", "--quick", "--folder", str(tmp_path / "nowhere")]) == 1
    assert "nowhere" in capsys.readouterr().err
