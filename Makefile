# The newcomer's commands. `make test` installs what is missing and checks everything.
.PHONY: test build peers tools fmt bench

GOBIN := $(shell go env GOPATH)/bin
export PATH := $(GOBIN):$(PATH)

test:
	./test/gate

build:
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o beffroi ./cmd/beffroi

fmt:
	gofumpt -w cmd internal test catalog

bench:
	go run ./test/bench
