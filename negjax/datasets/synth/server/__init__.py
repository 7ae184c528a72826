"""Stages of `negjax synth` that ask a language model, by any OpenAI-compatible server.

Only `language_server.py` and what it imports need the extra `llm`.

`prompts.py` reads what is asked (`negjax/assets/synth/`), `extraction.py`, `proposals.py`, `vision.py` and
`paraphrasing.py` make the requests of a stage and check the answers, `language_server.py` gets them: from the cache
(`answer_cache.py`), or over HTTP (`http_client.py`), as often a minute as `rate_limit.py` allows. `plan.py` counts and
prices requests before any is sent.
"""
