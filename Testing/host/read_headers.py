"""Read from CTK's and Slicer's headers what their widgets offer to Python, as names and signatures.

PythonQt shows of a C++ class what Qt's meta-object compiler sees: properties, public slots, Q_INVOKABLE
methods, signals and enums. The stand-ins of this test host must offer that and no more, so it is read from
the headers and not remembered. The file holds what Slicer 5.10 has, the oldest that is supported. Run it
again for another:

    python Testing/host/read_headers.py CTK_SOURCE SLICER_SOURCE > Testing/host/widget_facts.json
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from PySide6 import QtCore, QtWidgets

WANTED = [
    "ctkCheckBox",
    "ctkCheckableComboBox",
    "ctkCheckablePushButton",
    "ctkCollapsibleButton",
    "ctkCollapsibleGroupBox",
    "ctkColorPickerButton",
    "ctkComboBox",
    "ctkDirectoryButton",
    "ctkDoubleRangeSlider",
    "ctkDoubleSlider",
    "ctkDoubleSpinBox",
    "ctkExpandableWidget",
    "ctkFittedTextBrowser",
    "ctkMenuButton",
    "ctkMessageBox",
    "ctkPathLineEdit",
    "ctkPushButton",
    "ctkRangeWidget",
    "ctkSearchBox",
    "ctkSliderWidget",
    "qMRMLCheckableNodeComboBox",
    "qMRMLCollapsibleButton",
    "qMRMLLayoutManager",
    "qMRMLNodeComboBox",
    "qMRMLPlotView",
    "qMRMLPlotWidget",
    "qMRMLRangeWidget",
    "qMRMLSegmentEditorWidget",
    "qMRMLSegmentationShow3DButton",
    "qMRMLSubjectHierarchyComboBox",
    "qMRMLSegmentSelectorWidget",
    "qMRMLSegmentsTableView",
    "qMRMLSliceControllerWidget",
    "qMRMLSliceView",
    "qMRMLSliceWidget",
    "qMRMLSliderWidget",
    "qMRMLSpinBox",
    "qMRMLTableView",
    "qMRMLTableWidget",
    "qMRMLThreeDView",
    "qMRMLThreeDWidget",
    "qMRMLWidget",
    "qSlicerAbstractCoreModule",
    "qSlicerAbstractModule",
    "qSlicerAbstractModuleWidget",
    "qSlicerApplication",
    "qSlicerCoreApplication",
    "qSlicerLayoutManager",
    "qSlicerModuleManager",
    "qSlicerAbstractModuleFactoryManager",
    "qSlicerModuleFactoryManager",
    "qSlicerScriptedLoadableModule",
    "qSlicerScriptedLoadableModuleWidget",
    "qSlicerSegmentEditorAbstractEffect",
    "qSlicerWidget",
    "qSlicerMainWindow",
    "qSlicerModuleSelectorToolBar",
    "qSlicerLoadableModule",
    "qSlicerCoreIOManager",
    "qSlicerCLIModule",
    "qSlicerIOManager",
    "qSlicerSimpleMarkupsWidget",
    "qMRMLSubjectHierarchyTreeView",
    "qMRMLThreeDViewControllerWidget",
    "qMRMLViewControllerBar",
    "qMRMLPlotViewControllerWidget",
    "qMRMLTableViewControllerWidget",
    "ctkVTKAbstractView",
    "ctkVTKRenderView",
    "ctkVTKSliceView",
    "ctkMenuComboBox",
]


def find_header(roots: list[Path], name: str) -> Path | None:
    """Return the header that declares the class `name`."""
    return next((path for root in roots for path in sorted(root.rglob(f"{name}.h"))), None)


def without_comments(text: str) -> str:
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"(?<!:)//[^\n]*", "", text)
    return re.sub(r"^\s*#[^\n]*", "", text, flags=re.M)


def class_body(text: str, name: str) -> tuple[str, str]:
    """Return the base class and the text between the braces of the class `name`."""
    head = re.search(rf"class\s+(?:\w+\s+)?{name}\s*(?::\s*([^{{;]*))?\{{", text)
    if head is None:
        raise ValueError(f"no class {name}")
    bases = re.findall(r"public\s+(?:virtual\s+)?([\w:]+)", head.group(1) or "")
    depth, position = 1, head.end()
    while depth and position < len(text):  # conditional compilation can leave a brace open
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        position += 1
    return (bases[0] if bases else ""), text[head.end() : position - 1]


def normalised_type(parameter: str) -> str:
    """Return a parameter's type in the spelling of Qt's normalised signatures."""
    parameter = parameter.split("=")[0].strip()
    match = re.match(
        r"^((?:const\s+)?(?:unsigned\s+)?[\w:]+(?:<[^>]*>)?(?:\s+const)?\s*[*&\s]*)\s*\w*$", parameter
    )
    spelled = (match.group(1) if match else parameter).strip()
    return bytes(QtCore.QMetaObject.normalizedSignature(f"f({spelled})").data()).decode()[2:-1]


def split_parameters(text: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for letter in text:
        depth += {"<": 1, "(": 1, ">": -1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += letter
    parts.append(current)
    return [part.strip() for part in parts if part.strip() not in ("", "void")]


def signatures(name: str, parameters: str) -> list[str]:
    """Return the signature and, for default arguments, the shorter ones that Qt adds."""
    parts = split_parameters(parameters)
    required = sum("=" not in part for part in parts)
    types = [normalised_type(part) for part in parts]
    return [f"{name}({','.join(types[:count])})" for count in range(len(types), required - 1, -1)]


def without_inline_bodies(body: str) -> str:
    while True:
        shorter = re.sub(r"(\)\s*(?:const)?\s*(?:override)?\s*)\{[^{}]*\}", r"\1;", body)
        if shorter == body:
            return body
        body = shorter


def methods_and_signals(body: str) -> tuple[dict, list]:
    body = without_inline_bodies(body)
    methods: dict[str, list[str]] = {}
    signals: list[str] = []
    section = "private"
    pieces = re.split(
        r"((?:public|protected|private)(?:\s+(?:slots|Q_SLOTS))?\s*:(?!:)|(?:signals|Q_SIGNALS)\s*:)", body
    )
    for piece in pieces:
        if re.fullmatch(r"(?:public|protected|private|signals|Q_SIGNALS).*:", piece.strip(), flags=re.S):
            section = (
                re.sub(r"\s+", " ", piece.strip()[:-1])
                .replace("Q_SLOTS", "slots")
                .replace("Q_SIGNALS", "signals")
            )
            continue
        piece = re.sub(r"Q_PROPERTY\([^)]*\)|Q_(?:ENUMS?|FLAGS?|OBJECT)(?:\([^)]*\))?|QVTK_OBJECT", "", piece)
        for statement in piece.split(";"):
            match = re.search(
                r"([\w:<>*&\s,]+?[\s*&]|)(~?\w+)\s*\(((?:[^()]|\([^()]*\))*)\)\s*(?:const)?\s*(?:override)?"
                r"\s*(?:=\s*0)?\s*$",
                statement.strip(),
                flags=re.S,
            )
            if match is None:
                continue
            shown = signatures(match.group(2), match.group(3))
            if section.startswith("signals"):
                signals += shown
            elif section == "public slots" or (section.startswith("public") and "Q_INVOKABLE" in statement):
                methods.setdefault(match.group(2), []).extend(
                    s for s in shown if s not in methods.get(match.group(2), [])
                )
    return methods, signals


def properties(body: str) -> dict:
    found = {}
    for inner in re.findall(r"Q_PROPERTY\(([^)]*)\)", body):
        inner = " ".join(inner.split())
        match = re.match(r"([\w:<>*]+(?:\s*\*)?)\s+(\w+)\s+(.*)", inner)
        entry = {"type": match.group(1)}
        for key in ("READ", "WRITE", "NOTIFY"):
            value = re.search(rf"\b{key}\s+(\w+)", match.group(3))
            if value:
                entry[key.lower()] = value.group(1)
        found[match.group(2)] = entry
    return found


def qt_value(name: str):
    scope, _, member = name.rpartition("::")
    owner = getattr(QtCore, scope, None) or getattr(QtWidgets, scope)
    return getattr(owner, member)


def enums(body: str) -> dict:
    """Return the enums that the meta-object knows, with their values as numbers."""
    announced = set(re.findall(r"Q_ENUMS?\(\s*(\w+)\s*\)", body)) | set(
        re.findall(r"Q_FLAGS?\(\s*(\w+)\s*\)", body)
    )
    announced |= {
        enum
        for flags, enum in re.findall(r"Q_DECLARE_FLAGS\(\s*(\w+)\s*,\s*(\w+)\s*\)", body)
        if flags in announced
    }
    found = {}
    for name, text in re.findall(r"enum\s+(?:class\s+)?(\w+)\s*\{([^}]*)\}", body):
        if name not in announced:
            continue
        values: dict[str, int] = {}
        following = 0
        for entry in (e.strip() for e in text.split(",")):
            if not entry:
                continue
            key, _, expression = (part.strip() for part in entry.partition("="))
            if expression:
                expression = re.sub(r"\w+::\w+", lambda m: str(qt_value(m.group(0)).value), expression)
                following = eval(
                    expression, {"__builtins__": {}, "EXIT_SUCCESS": 0, "EXIT_FAILURE": 1}, dict(values)
                )
            values[key] = following
            following += 1
        found[name] = values
    return found


def facts_of(path: Path, name: str) -> dict:
    base, body = class_body(without_comments(path.read_text(encoding="utf-8", errors="replace")), name)
    methods, signals = methods_and_signals(body)
    return {
        "base": base,
        "properties": properties(body),
        "methods": methods,
        "signals": signals,
        "enums": enums(body),
    }


def main(roots: list[Path]) -> None:
    facts, waiting = {}, list(WANTED)
    while waiting:
        name = waiting.pop(0)
        path = find_header(roots, name)
        if name in facts:
            continue
        if path is None:
            print(f"no header for {name}", file=sys.stderr)
            continue
        facts[name] = facts_of(path, name)
        base = facts[name]["base"]
        if base.startswith(("ctk", "qMRML", "qSlicer", "vtkMRML")):
            waiting.append(base)
    json.dump(dict(sorted(facts.items())), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
