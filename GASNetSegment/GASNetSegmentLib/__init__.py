"""What the GASNetSegment module is made of: logic on the MRML scene, the worker's client, the panel's
sections.

The logic and the client know no Qt; the sections know no computation.
"""
