# Zählwerk. `make help` lists the targets.
VERSION := 0.1.0
, := ,
PREFIX  ?= /usr/local
# V=1 prints whole commands, otherwise a short line each, $(call say,CC,file); -s none
Q       := $(if $(V),,@)
say      = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,@printf '  %-4s %s\n' '$1' '$2')
PKGS    := libczmq libzmq libpq libgcrypt msgpack sqlite3 libmicrohttpd jansson libcurl libmariadb openssl

B    := build$(if $(SAN),/san)
SRC  := $(wildcard common/*.c common/*/*.c services/*/*.c firmware/core/*.c)
CORE := $(patsubst %.c,$B/%.o,$(filter-out %/main.c,$(SRC))) $B/gen/assets.o
BINS := $(patsubst services/%/main.c,$B/bin/%,$(wildcard services/*/main.c))
MAN  := $(patsubst $B/bin/%,$B/man/zaehlwerk-%.8,$(filter-out %/zaehlwerk,$(BINS)))
UNIT := $(patsubst tests/unit/%.c,$B/test/%,$(wildcard tests/unit/test_*.c))
PAGE := $(wildcard services/dashboard/page/*) build/page/uPlot.iife.min.js build/page/uPlot.min.css
INCS := $(addprefix $B/gen/,migrations.inc timescale.inc assets.inc)
SQL  := $(sort $(wildcard common/store/migrations/*/*.sql))

INCLUDES := $(addprefix -I,$(sort $(dir $(SRC))))

WARN     := -Wall -Wextra -Wshadow -Wvla -Wundef -Wformat=2 -Wwrite-strings -Wstrict-prototypes \
            -Wmissing-prototypes $(if $(WERROR),-Werror)
# Less optimized, so that reports are exact; there, gcc guesses wrongly what these two warn of.
SANITIZE := $(if $(SAN),-fsanitize=address$(,)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
            -Wno-maybe-uninitialized -Wno-format-truncation)
CFLAGS   ?= $(if $(SAN),-O1,-O2) -g
CFLAGS   += -std=gnu11 -fPIE $(WARN) $(SANITIZE)
CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 $(if $(SAN),-DZW_CHAOS_HOOK,-D_FORTIFY_SOURCE=2) \
            -DZW_VERSION='"$(VERSION)"' -MMD -MP -I$B/gen $(INCLUDES) \
            $(shell pkg-config --cflags $(PKGS))
LDFLAGS  += -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(if $(SAN),-fsanitize=address$(,)undefined)
LDLIBS   = $(shell pkg-config --libs $(PKGS)) -lpaho-mqtt3as -lcsv -lpthread -lm

all: $(BINS)

help:
	@echo 'make            build all programs into build/bin'
	@echo 'make run        install what is needed, build, and run the whole system (README.md)'
	@echo 'make test       install what is needed, build with sanitizers, run all tests'
	@echo 'make test-browser  the dashboard in a real browser; pictures in build/screenshots'
	@echo 'make test-firmware  of these those of the ESP8266 firmware'
	@echo 'make test-compose  docker-compose.yml on a Docker engine of its own (as root)'
	@echo 'make test-chaos kill, stop and fill everything for CHAOS_SECONDS=300, with CHAOS_SEED=; then count'
	@echo 'make check      the unit tests alone (SAN=1 with sanitizers)'
	@echo 'make bench      throughput of each stage as ratios against raw limits'
	@echo 'make lint       clang-format, clang-tidy, cppcheck'
	@echo 'make images     zaehlwerk/NAME:$(VERSION) of each program (deploy/docker/README.md)'
	@echo 'make sbom       what is in each image, as build/sbom/NAME.spdx.json'
	@echo 'make install    DESTDIR=$(DESTDIR) PREFIX=$(PREFIX); make uninstall takes the same'
	@echo 'make deb        a Debian package, build/zaehlwerk_$(VERSION)_ARCHITECTURE.deb'
	@echo 'make clean      remove build/'

run:
	@deploy/native/packages.sh run
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@deploy/native/run.sh

test:
	@deploy/native/packages.sh test
	@tests/run.sh

test-browser:
	@deploy/native/packages.sh test
	@tests/run.sh test_browser

test-firmware:
	@deploy/native/packages.sh test
	@tests/run.sh firmware test_fw test_esp test_portal test_senders test_serial

test-chaos:
	@deploy/native/packages.sh test
	@CHAOS_SECONDS=$${CHAOS_SECONDS:-300} tests/run.sh test_chaos

test-compose:
	@deploy/native/packages.sh test
	@TMPDIR=$${TMPDIR:-/var/tmp} /usr/bin/python3 -B tests/e2e/run.py --class test_compose.Stack

check: $(UNIT)
	@bad=; for t in $^; do $$t || bad="$$bad $$t"; done; test -z "$$bad" || { echo "failed:$$bad"; false; }

tests: $(UNIT) $(addprefix $B/test/,fuzz_firmware fuzz_import portal_host pin_host) build/npm/browser/.lock build/npm/kubernetes/.lock

bench:
	@deploy/native/packages.sh test
	@$(MAKE) --no-print-directory -j$$(nproc) all $B/test/bench
	@tests/bench/bench.sh

lint:
	@deploy/native/packages.sh lint
	@$(MAKE) --no-print-directory -s $(INCS)
	clang-format --dry-run --Werror $$(git ls-files '*.c' '*.h')
	shellcheck $$(git ls-files '*.sh') .ci/run deploy/native/zaehlwerk-admin deploy/debian/prerm deploy/debian/postrm
	shellcheck --shell=bash deploy/completion/zaehlwerk
	cppcheck --quiet --enable=warning,performance,portability --error-exitcode=1 --inline-suppr \
	    --suppress=missingIncludeSystem --library=tests/cppcheck.cfg -D__GNUC__=12 \
	    -I$B/gen $(INCLUDES) common services firmware/core tests
	@$(MAKE) --no-print-directory -j$$(nproc) $(SRC:%=tidy/%)
tidy/%: $(INCS)
	@clang-tidy --quiet --warnings-as-errors='*' $* -- $(filter-out -MMD -MP,$(CPPFLAGS)) -std=gnu11

install: all $(MAN)
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' UNITDIR='$(UNITDIR)' deploy/native/install.sh install $B
uninstall:
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' UNITDIR='$(UNITDIR)' deploy/native/install.sh uninstall $B

deb:
	@deploy/native/packages.sh deb
	@$(MAKE) --no-print-directory -j$$(nproc) all $(MAN)
	@VERSION='$(VERSION)' deploy/native/deb.sh

images: $(if $(shell command -v npm),build/npm/dashboard/.lock)
	@deploy/docker/images.sh $(VERSION) $(notdir $(BINS))
sbom:
	@mkdir -p build/sbom
	@set -e; for n in $(notdir $(BINS)); do deploy/docker/sbom.py zaehlwerk/$$n:$(VERSION) >build/sbom/$$n.spdx.json; done
	@ls build/sbom/*.spdx.json

clean:
	rm -rf build

$B/core.a: $(CORE)
	@rm -f $@
	$(call say,AR,$@)
	$Q$(AR) rcs $@ $^
$B/bin/%: $B/services/%/main.o $B/core.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$B/test/%: $B/tests/unit/%.o $B/core.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(shell pkg-config --libs cmocka)
# The receiver's own files, with the SDK's names as tests/firmware has them.
$(filter $B/test/test_esp_%,$(UNIT)): \
$B/test/test_esp_%: $B/tests/unit/test_esp_%.o $B/firmware/esp8266/main/%.o $B/firmware/esp8266/main/store.o \
                    $B/tests/firmware/nvs.o $B/core.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(shell pkg-config --libs cmocka)
$B/test/fuzz_%: $B/tests/fuzz/fuzz_%.o $B/core.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$B/test/portal_host: $B/tests/firmware/portal_host.o $B/firmware/esp8266/main/store.o $B/tests/firmware/nvs.o $B/core.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$B/test/pin_host: $B/tests/firmware/pin_host.o $B/firmware/esp8266/main/pin.o $B/core.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -Wl,--wrap=mbedtls_ssl_conf_authmode -o $@ $^ -lmbedtls -lmbedx509 -lmbedcrypto
$B/tests/firmware/%.o $B/tests/unit/test_esp_%.o $B/firmware/esp8266/main/%.o: SDK := -Itests/firmware/sdk -Ifirmware
$B/tests/fuzz/%.o: CPPFLAGS += -DFUZZ_REPLAY
$B/test/bench: $B/tests/bench/bench.o $B/core.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$B/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$Q$(CC) $(SDK) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# The SQL files become C string literals: {"sqlite", 1, "..."}, in the order of their numbers.
$B/gen/migrations.inc: $(SQL) Makefile
	@mkdir -p $(@D)
	@for f in $(SQL); do n=$${f##*/}; d=$${f%/*}; printf '{"%s", %d,\n' "$${d##*/}" "$$(expr $${n%%-*} + 0)"; \
	    sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' $$f; echo '},'; done > $@
$B/common/store/migrate.o: $B/gen/migrations.inc
$B/gen/timescale.inc: common/store/timescale.sql Makefile
	@mkdir -p $(@D)
	@sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' $< > $@
$B/common/store/pg_timescale.o: $B/gen/timescale.inc

# The dashboard's files become octets of the program, plain and compressed, and a table of them.
$B/gen/assets.inc: $(PAGE) deploy/native/assets.sh Makefile
	@deploy/native/assets.sh $B/gen $(PAGE)
$B/gen/assets.o: $B/gen/assets.inc
	$Q$(CC) -c -o $@ $B/gen/assets.S
$B/services/dashboard/assets.o: $B/gen/assets.inc

$B/man/zaehlwerk-%.8: $B/bin/% deploy/man/%.mdoc deploy/native/man.sh
	@mkdir -p $(@D)
	@deploy/native/man.sh $< deploy/man/$*.mdoc >$@.new && mv $@.new $@

# npm trusts whom the system trusts.
export NODE_EXTRA_CA_CERTS ?= $(wildcard /etc/ssl/certs/ca-certificates.crt)

# From npm, once for each lock file; afterwards no network is needed. `dashboard` goes into the page,
# `browser` drives the browser tests, `kubernetes` has a kubectl and the API's schemas.
build/npm/dashboard/.lock: services/dashboard/package-lock.json
build/npm/browser/.lock: tests/browser/package-lock.json
build/npm/kubernetes/.lock: tests/kubernetes/package-lock.json
build/npm/%/.lock:
	@mkdir -p $(@D)
	@cmp -s $< $@ || { cp $< $(<D)/package.json $(wildcard $(<D)/.npmrc) $(@D) && (cd $(@D) && npm ci --no-audit --no-fund --loglevel=error) && cp $< $@; }
	@touch $@
build/page/uPlot.%: build/npm/dashboard/.lock
	@mkdir -p $(@D)
	@cp $(<D)/node_modules/uplot/dist/$(@F) $@

-include $(shell find $B/common $B/services $B/tests $B/firmware -name '*.d' 2>/dev/null)
.SECONDARY:
.PHONY: all help run test test-browser test-firmware test-chaos test-compose check tests bench lint install uninstall deb images sbom clean
