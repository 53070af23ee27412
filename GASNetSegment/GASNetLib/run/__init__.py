"""The run folder: the single truth about one training, readable by any program while it goes on.

::

    config.json     settings, device, parent model, versions          (written once)
    cohort.csv      the frozen cohort with its split                  (written once)
    events.jsonl    what happened, one JSON object a line             (:mod:`.events`)
    checkpoints/    from which the training goes on exactly           (:mod:`.checkpoints`)
    previews/       pictures                                          model/  deployable packages
    process.json    who works here                                    lock    held while somebody does
    stop            a stop is asked for: of this process, or, if it is empty, of the next one
    after.json      processes that the next one here waits for        (a queue of trainings)
    run.log         what the process printed
"""
