# syntax=docker/dockerfile:1
# The server with nothing but what it needs at run time. `deploy/compose.yaml` and `deploy/kubernetes` use it.
#   docker build -t credence:0.1.0 .
ARG NODE_IMAGE=node:24-slim

# Compiles and bundles, and makes the database that a first start without PostgreSQL begins with.
FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts
COPY tsconfig.json tsconfig.client.json ./
COPY drizzle ./drizzle
COPY src ./src
COPY build ./build
RUN npm run --silent build

# Native code (Argon2, bcrypt) comes as ready packages for this platform: no install script is run, no compiler needed.
FROM ${NODE_IMAGE} AS packages
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --ignore-scripts \
  && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

FROM ${NODE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Credence" \
  org.opencontainers.image.description="A self-hosted GraphQL identity API" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production \
  HOST=0.0.0.0 \
  PORT=4000 \
  DATA_DIR=/data
WORKDIR /app
COPY --from=packages /build/node_modules ./node_modules
COPY package.json ./
COPY drizzle ./drizzle
COPY src/api/playground/browser.js src/api/playground/browser.css ./src/api/playground/
COPY --from=build /build/dist ./dist
# Only /data and /tmp are ever written to: the root file system may be read-only.
RUN ln -s /app/dist/main.js /usr/local/bin/credence \
  && chmod 0755 /app/dist/main.js \
  && install -d -o 1000 -g 1000 -m 0700 /data
USER 1000:1000
VOLUME /data
EXPOSE 4000
# The server finishes what runs within twenty seconds: give it more than Docker's ten (`docker stop --time 30`).
STOPSIGNAL SIGTERM
# Whether it lives, not whether it can serve: a database that is away is no reason to kill the process.
HEALTHCHECK --interval=10s --timeout=3s --start-period=90s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/live`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Under load most of what a request makes is gone before it is looked at again: a larger nursery looks less often.
ENTRYPOINT ["node", "--max-semi-space-size=64", "/app/dist/main.js"]
CMD ["serve"]
