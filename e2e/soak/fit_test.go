//go:build soak

package soak

import "math"

// summary is a figure over all samples.
type summary struct {
	mean, least, most float64
	slopePerHour      float64
	// growth is how much the figure rises over the samples, of its mean.
	growth float64
}

// summarise fits a line by least squares. With withCallers the figure may also
// depend, linearly, on the callers that wait: the slope is then that at an equal
// number of callers.
func summarise(samples []sample, of func(sample) float64, withCallers bool) (s summary) {
	s.least, s.most = math.Inf(1), math.Inf(-1)
	n := float64(len(samples))
	var meanX, meanC float64
	for _, one := range samples {
		x, c, y := hours(samples, one), one.callers, of(one)
		s.least, s.most = min(s.least, y), max(s.most, y)
		meanX, meanC, s.mean = meanX+x/n, meanC+c/n, s.mean+y/n
	}
	var xx, cc, xc, xy, cy float64 // products of the deviations from the means
	for _, one := range samples {
		x, c, y := hours(samples, one)-meanX, one.callers-meanC, of(one)-s.mean
		xx, cc, xc, xy, cy = xx+x*x, cc+c*c, xc+x*c, xy+x*y, cy+c*y
	}
	if independent := xx*cc - xc*xc; withCallers && independent > 1e-9*xx*cc {
		s.slopePerHour = (xy*cc - cy*xc) / independent
	} else if xx > 0 {
		s.slopePerHour = xy / xx
	}
	if s.mean > 0 {
		s.growth = s.slopePerHour * hours(samples, samples[len(samples)-1]) / s.mean
	}
	return s
}

func hours(samples []sample, one sample) float64 { return one.at.Sub(samples[0].at).Hours() }
