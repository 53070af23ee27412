"""What the GASNetTrain module is made of: cohort table, runs, tasks in processes, the panel's sections.

The logic knows no Qt and never imports torch: whatever computes does so in another process.
"""
