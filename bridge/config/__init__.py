"""``config.toml`` → frozen settings, or every mistake in it with its line. ``loading`` puts it together.

``file`` finds the lines, ``tables`` has the keys, ``mistakes`` the words; ``controls`` (``reading``, ``values``,
``expand``), ``bindings``, ``banks`` and ``access`` read what needs more than one key; ``profile`` completes the tables
of peers, ``base`` is what all tables share. What comes out is in ``settings``. Then: ``filewatch`` sees that a file was
saved, ``diff`` says what that changes, ``lastgood`` keeps the copy to start on, ``tomltext`` writes.
"""
