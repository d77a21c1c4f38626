# One image runs every part of Airflow; the stage `simulator` is the same image with another command, for the demo profile.
# Build: docker build --tag airflow-syrve .      Another base (a mirror, another Python): --build-arg PYTHON_IMAGE=...
ARG PYTHON_IMAGE=python:3.12-slim-bookworm


# --- builder: the virtual environment, from the same lock as everything else -----------------------------------------
FROM ${PYTHON_IMAGE} AS builder
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

COPY docker/pip.txt docker/
RUN python -m venv tools \
    && tools/bin/pip install --require-hashes --requirement docker/pip.txt \
    && python -m venv --without-pip /opt/venv

# Which extras of the package are built in: `all`, or names separated by commas; none for the least.
ARG EXTRAS=all
# requirements.txt also locks the tests and the linters. As a constraints file it gives every version and hash, and only what
# the product and this stack ask for is installed; anything that the lock does not hold fails the build.
COPY pyproject.toml requirements.txt ./
COPY docker/requirements.in docker/product_requirements.py docker/
COPY simulator/pyproject.toml simulator/
RUN python docker/product_requirements.py "$EXTRAS" pyproject.toml simulator/pyproject.toml > product.in \
    && tools/bin/pip --python /opt/venv install --require-hashes --constraint requirements.txt \
        --requirement product.in --requirement docker/requirements.in \
    && tools/bin/pip install --require-hashes --constraint requirements.txt hatchling

COPY README.md ./
COPY dags dags
COPY plugins plugins
COPY simulator simulator
COPY sql sql
RUN tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . ./simulator \
    && tools/bin/pip --python /opt/venv install --no-deps --no-index dist/airflow_provider_syrve-*.whl \
    && tools/bin/pip --python /opt/venv install --no-deps --no-index --target /opt/simulator dist/syrve_simulator-*.whl \
    && tools/bin/pip --python /opt/venv check


# --- base: what both final stages share ------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS base
# tini reaps what a killed task leaves behind, and hands SIGTERM to Airflow alone, so that a worker ends its tasks in order.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 50000 airflow \
    && useradd --uid 50000 --gid 50000 --home-dir /opt/airflow --no-create-home --shell /usr/sbin/nologin airflow \
    && install --directory --owner airflow --group airflow /opt/airflow/inbox /opt/airflow/logs /opt/airflow/reports /opt/airflow/syrve-outcomes \
    && install --directory /opt/airflow/dags /opt/airflow/plugins \
    && touch /opt/airflow/airflow.cfg
# The empty airflow.cfg keeps Airflow from writing one with generated secrets; every setting comes from the environment.

ENV PATH=/opt/venv/bin:$PATH \
    AIRFLOW_HOME=/opt/airflow \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
COPY --from=builder /opt/venv /opt/venv
COPY docker/healthcheck.py /opt/airflow/docker/
WORKDIR /opt/airflow
USER 50000:50000
ENTRYPOINT ["/usr/bin/tini", "--"]
EXPOSE 8080


# --- simulator: a Syrve Cloud to rehearse on, for the demo profile ---------------------------------------------------
FROM base AS simulator
ENV PYTHONPATH=/opt/simulator
COPY --from=builder /opt/simulator /opt/simulator
CMD ["python", "-m", "syrve_simulator", "--help"]


# --- runtime: the default ---------------------------------------------------------------------------------------------
FROM base AS runtime
COPY docker/init.py /opt/airflow/docker/
COPY dags /opt/airflow/dags
CMD ["airflow", "version"]
