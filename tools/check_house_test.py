#!/usr/bin/env python3
"""The checker must see each kind of violation: planted here, one at a time."""
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import check_house  # noqa: E402


class HouseTest(unittest.TestCase):
    def run_on(self, files: dict[str, str]) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in files.items():
                path = root / "src" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
                (path.parent / "README.md").touch()
            return check_house.check(root)[0]

    def test_a_good_house(self):
        self.assertEqual(self.run_on({"engine/e.cc": '#include "backend/backend.h"\n#include <vector>\n',
                                      "base/b.h": "#pragma once\n"}), [])

    def test_wrong_layer(self):
        self.assertRegex(self.run_on({"base/b.cc": '#include "engine/engine.h"\n'})[0], "base may not include")

    def test_unknown_room(self):
        self.assertRegex(self.run_on({"attic/a.cc": "\n"})[0], "no room 'attic'")

    def test_long_file_but_not_a_generated_table(self):
        self.assertRegex(self.run_on({"base/b.cc": "\n" * 601})[0], "601 lines")
        self.assertEqual(self.run_on({"tokenizer/unicode_tables.cc": "\n" * 601}), [])

    def test_header_guard_relative_include_throw_and_test_helpers(self):
        self.assertRegex(self.run_on({"base/b.h": "\n"})[0], "pragma once")
        self.assertRegex(self.run_on({"base/b.cc": '#include "b.h"\n'})[0], "by its path")
        self.assertRegex(self.run_on({"base/b.cc": "throw Error();\n"})[0], "throw")
        self.assertRegex(self.run_on({"backend/b.cc": '#include "backend/testing/r.h"\n'})[0], "tests only")

    def test_missing_readme(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "src" / "base").mkdir(parents=True)
            self.assertRegex(check_house.check(pathlib.Path(folder))[0][0], "no README.md")

    def test_the_plan_is_one_way(self):
        self.assertEqual(check_house.plan_errors(check_house.LAYERS), [])
        self.assertEqual(len(check_house.plan_errors({"a": "b", "b": ""})), 1)


if __name__ == "__main__":
    unittest.main()
