"""The pages that fool the classifier: attack, patch library, training of a patch."""
