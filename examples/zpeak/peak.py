"""The shape of the Z peak in the dimuon mass, and its fit."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import curve_fit

MIN_ENTRIES = 100  # with fewer a fit of four parameters tells nothing

# The muons radiate photons before they are seen: with the probability density beta x^(beta-1) (1 - x + x^2/2) they lose
# the fraction x of their mass squared. beta is no free parameter, quantum electrodynamics gives it:
# beta = 2 alpha/pi (ln(m_Z^2/m_mu^2) - 1), see E. A. Kuraev and V. S. Fadin, Sov. J. Nucl. Phys. 41 (1985) 466.
BETA = 2 / 137.036 / np.pi * (np.log((91.19 / 0.10566) ** 2) - 1)
# u = x^beta is spread evenly over 0 to 1, so the average over these points is the integral over x.
NODES, WEIGHTS = np.polynomial.legendre.leggauss(400)
LOST = ((NODES + 1) / 2) ** (1 / BETA)
LOST_WEIGHT = WEIGHTS / 2 * (1 - LOST + LOST**2 / 2)
POINTS_PER_BIN = 8
ITERATIONS = 6
START = [91.0, 2.5, 1e-4]  # mass and width in GeV, and the virtual-photon part; the number of entries comes first
BOUNDS = ([0, 80, 0.2, 0], [np.inf, 100, 20, 0.1])


@dataclass(frozen=True)
class Fit:
    """What the fit found: mass and width in GeV with their errors, and the expected entries of every bin."""

    mass_gev: float
    mass_error_gev: float
    width_gev: float
    width_error_gev: float
    chi2: float
    degrees_of_freedom: int
    parameters: np.ndarray
    expected: np.ndarray


def shape(m, size, mass, width, photon):
    """Entries per GeV at the masses `m`: a Breit-Wigner with photon radiation, and a falling virtual-photon part."""
    before = m[..., np.newaxis] / np.sqrt(1 - LOST)
    resonance = breit_wigner(before, mass, width) * before / m[..., np.newaxis]
    return size * (resonance @ LOST_WEIGHT + photon * (mass / m) ** 4)


def breit_wigner(m, mass, width):
    """The relativistic Breit-Wigner of the Z, with a width that grows with the mass squared; its area is about 1."""
    s = m**2
    return 2 * m * mass * width / np.pi / ((s - mass**2) ** 2 + (s * width / mass) ** 2)


def fit(histogram):
    """The fit of shape() to a mass histogram; None when there is too little to fit or no fit is found."""
    centers, bin_width, entries = histogram.axes[0].centers, histogram.axes[0].widths[0], histogram.values()
    if entries.sum() < MIN_ENTRIES:
        return None
    try:
        parameters, covariance = most_likely(centers, bin_width, entries)
    except RuntimeError:  # curve_fit's way to say that it did not converge
        return None
    errors = np.sqrt(np.diag(covariance))
    if not np.all(np.isfinite(errors)):
        return None
    expected = entries_expected(centers, bin_width, *parameters)
    return Fit(
        mass_gev=float(parameters[1]),
        mass_error_gev=float(errors[1]),
        width_gev=float(parameters[2]),
        width_error_gev=float(errors[2]),
        chi2=float(np.sum((entries - expected) ** 2 / expected)),
        degrees_of_freedom=len(entries) - len(parameters),
        parameters=parameters,
        expected=expected,
    )


def most_likely(centers, bin_width, entries):
    """The parameters of the largest Poisson likelihood, and their covariance.

    Least squares with the errors sqrt(expected), repeated with what the last round expects, end exactly there.
    """

    def model(m, *parameters):
        return entries_expected(m, bin_width, *parameters)

    parameters, errors, covariance = [entries.sum(), *START], np.sqrt(np.maximum(entries, 1)), None
    for _ in range(ITERATIONS):
        parameters, covariance = curve_fit(model, centers, entries, parameters, errors, absolute_sigma=True, bounds=BOUNDS)
        errors = np.sqrt(model(centers, *parameters))
    return parameters, covariance


def entries_expected(centers, bin_width, *parameters):
    """The expected entries of bins of this width in GeV around `centers`: the integral of shape() over each of them."""
    places = ((np.arange(POINTS_PER_BIN) + 0.5) / POINTS_PER_BIN - 0.5) * bin_width
    return shape(centers[:, np.newaxis] + places, *parameters).mean(axis=1) * bin_width
