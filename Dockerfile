# An image with one static program, the console in it, and the rules: `make image`, or
#
#   docker build --build-arg VERSION=1.2.3 --tag tocsin:1.2.3 .

FROM --platform=$BUILDPLATFORM node:22-bookworm-slim AS console
WORKDIR /src
COPY console console
COPY scripts/console-build scripts/
RUN scripts/console-build

FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=console /src/console/dist console/dist
ARG VERSION=dev TARGETOS TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/tocsin ./cmd/tocsin \
 && mkdir -p /empty /out/etc/ssl/certs \
 && cp -r rules.d /out/rules.d \
 && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/

FROM scratch
COPY --from=build /out /
COPY --from=build --chown=65532:65532 /empty /data
USER 65532:65532
WORKDIR /
VOLUME /data
EXPOSE 8080 8081 6000
ENTRYPOINT ["/tocsin"]
CMD ["serve"]
