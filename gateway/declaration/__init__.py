"""The file of `manage.py apply`: what an installation should look like, in YAML.

document.py   text -> values that know their line and path; all problems are collected
reading.py    values -> the frozen shapes of `shapes.py`
checks.py     the shapes against what is installed
apply.py      the differences, carried out in one transaction
"""
