"""`portillon pictures` writes the pictures of the documentation."""

from pathlib import Path

from PIL import Image, ImageChops, ImageFilter

from portillon.__main__ import main
from portillon.pictures import DISPLAYS_FILE, write_display_pictures

KEPT = Path(__file__).parents[1] / "docs" / "pictures" / DISPLAYS_FILE


def test_the_picture_in_the_documentation_is_what_the_displays_show_today(tmp_path):
    drawn = write_display_pictures(tmp_path / "new")
    with Image.open(drawn) as new, Image.open(KEPT) as kept:
        assert new.size == kept.size
        pair = [picture.convert("RGB").filter(ImageFilter.BoxBlur(1)) for picture in (new, kept)]
        changed = sum(ImageChops.difference(*pair).convert("L").histogram()[64:])
        assert changed <= new.width * new.height / 5000, "run: portillon pictures"


def test_the_command_names_the_file_it_wrote(tmp_path, capsys):
    assert main(["pictures", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / DISPLAYS_FILE)
    assert (tmp_path / DISPLAYS_FILE).stat().st_size > 0


def test_a_folder_that_cannot_be_written_is_told(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["pictures", str(tmp_path / "file")]) == 1
    assert "portillon pictures:" in capsys.readouterr().err
