# One image for every service; docker-compose.yml says which command each one runs.

FROM python:3.11-slim-bookworm AS build
RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /app --shell /usr/sbin/nologin gateway \
    && install -d -o gateway -g gateway -m 0700 /data
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 DATA_DIR=/data HOST=0.0.0.0 PORT=8000
WORKDIR /app
COPY --from=build /venv /venv
COPY manage.py LICENSE ./
COPY gateway gateway
COPY admin_api admin_api
COPY dashboard dashboard
RUN python -m compileall -q gateway admin_api dashboard
USER gateway
EXPOSE 8000
CMD ["python", "-m", "gateway.server"]
