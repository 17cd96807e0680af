package workflow

// StateBytes is what Info.StateBytes must be.
var StateBytes = (*Run).stateBytes
