"""What tests of the guarantees share: a firm with its estate, its random weeks, and all that is shown of a store."""
