# SPDX-License-Identifier: MIT
# `make help` lists the targets. Everything that is built goes to $(BUILD).

VERSION := 0.1.0
SOVERSION := 0

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man

CC ?= cc
PKG_CONFIG ?= pkg-config
OPTIMIZE ?= -O2
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
WERROR ?=
SANITIZE ?=
# The objects are fit for both libraries.
ALL_CFLAGS = -std=gnu11 -g $(OPTIMIZE) -ffunction-sections -fdata-sections $(WARNINGS) $(WERROR) -Iinclude -MMD -MP $(CFLAGS)
ENGINE_CFLAGS = $(ALL_CFLAGS) -D_GNU_SOURCE -Iengine -fPIC -fvisibility=hidden

# --- packages -------------------------------------------------------------------------------------

# name in pkg-config:package of Debian, or bin/name of a program:package
RUN_PACKAGES := liburing:liburing-dev libcap:libcap-dev
LOOP_PACKAGES := libuv:libuv1-dev gio-2.0:libglib2.0-dev
CHECK_PACKAGES := $(RUN_PACKAGES) criterion:libcriterion-dev $(LOOP_PACKAGES) bin/busybox:busybox-static
BENCH_PACKAGES := $(RUN_PACKAGES) $(LOOP_PACKAGES) bin/gnuplot:gnuplot-nox

URING_CFLAGS = $(shell $(PKG_CONFIG) --cflags liburing)
URING_LIBS = $(shell $(PKG_CONFIG) --libs liburing)
URING_STATIC = $(shell $(PKG_CONFIG) --variable=libdir liburing)/liburing.a
CAP_LIBS = $(shell $(PKG_CONFIG) --libs libcap)
CAP_STATIC = $(shell $(PKG_CONFIG) --variable=libdir libcap)/libcap.a
# What the static library needs.
ENGINE_STATIC = $(URING_STATIC) $(CAP_STATIC)

# --- what there is --------------------------------------------------------------------------------

ENGINE := $(wildcard engine/*.c engine/*/*.c)
ENGINE_OBJECTS := $(ENGINE:%.c=$(BUILD)/%.o)
# Every symbol must be found, but for those that a sanitizer's runtime brings with the program.
SHARED_CHECK = $(if $(SANITIZE),,-Wl,-z,defs)
# Runs in the memory of another process between clone and exec: instrumented code would write that one's shadow state
# (engine/birth/child.c says more).
CHILD_STAGES := birth/child_placements birth/child_close confine/place confine/power confine/settings
UNSANITIZED := $(BUILD)/engine/birth/child.o $(BUILD)/engine/sys/clone.o \
	$(CHILD_STAGES:%=$(BUILD)/engine/%.o)

STATIC := $(BUILD)/libpidring.a
SHARED := $(BUILD)/libpidring.so.$(VERSION)
TOOLS := $(BUILD)/pidring-run $(BUILD)/pidring-init
RUN_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/run_*.c) tools/option_rows.c)
INIT_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/init_*.c) tools/option_rows.c)

SCENARIO_RUNNER := $(addprefix tests/scenario/,main.c checks.c helpers.c kernel.c start_method.c)
# What tests/scenario/start_method.c stands before, in the scenarios and in the library itself.
VARIED_CALLS := pidring_open pidring_close pidring_process_new pidring_process_start pidring_start_many
VARIED := $(VARIED_CALLS:%=-Wl,--wrap=%)
SCENARIOS := $(BUILD)/tests/scenarios
LOOPS := $(BUILD)/tests/loops
DRIVER := $(BUILD)/tests/driver
SCENARIO_OBJECTS := $(patsubst tests/%.c,$(BUILD)/tests/objects/%.o,$(wildcard tests/scenario/*.c))
LOOP_OBJECTS := $(patsubst tests/%.c,$(BUILD)/tests/objects/%.o,$(wildcard tests/loops/*.c) $(SCENARIO_RUNNER))
# What a scenario loads when its servers have been made.
LOADED := $(BUILD)/tests/loaded.so
TEST_PROGRAMS := $(SCENARIOS) $(LOOPS) $(LOADED)
# The driver finds it beside itself.
EXCEPTIONS := $(BUILD)/tests/forkserver.except

# Without libc, each by itself.
BENCH_CHILDREN := $(BUILD)/bench/noop $(BUILD)/bench/writer $(BUILD)/bench/stamp
# Other libraries, opened by the suite where they are measured.
BENCH_PLUGINS := $(BUILD)/bench/collect_libuv.so $(BUILD)/bench/collect_glib.so
# Run by an interpreter, if there is one.
BENCH_SCRIPTS := $(BUILD)/bench/python_contender.py
BENCH_APART := $(patsubst $(BUILD)/%,%.c,$(BENCH_CHILDREN) $(BENCH_PLUGINS:.so=))
BENCH_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(BENCH_APART),$(wildcard bench/*.c)))

.PHONY: all run check install uninstall format lint asan tsan valgrind bench bench-init plots clean help \
	packages-run packages-check packages-bench build-check test quick-check
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
FORCE:

all: $(STATIC) $(SHARED) $(TOOLS) $(BUILD)/pidring.pc

help:
	@echo 'make run        install what is missing, build, and do a piece of work with pidring-run'
	@echo 'make check      install what is missing, build, and run all tests (three to five minutes)'
	@echo 'make            build the libraries and tools into $(BUILD)/'
	@echo 'make install    to PREFIX (/usr/local); DESTDIR, LIBDIR, INCLUDEDIR, BINDIR, MANDIR are heeded'
	@echo 'make uninstall  takes away what was installed with the same settings'
	@echo 'make asan       the tests with AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'make tsan       the tests with ThreadSanitizer'
	@echo 'make valgrind   the tests under valgrind (which needs epoll and fork)'
	@echo 'make lint       clang-tidy and cppcheck'
	@echo 'make format     let clang-format lay the sources out'
	@echo 'make bench      measure against other systems; see bench/README.md'
	@echo 'make bench-init measure pidring-init against other inits'
	@echo 'make plots      the plots of the last make bench into bench/plots/, where the README shows them'
	@echo 'make clean      remove $(BUILD)/'

# --- packages -------------------------------------------------------------------------------------

packages-run:
	@./.ci/packages $(RUN_PACKAGES)

packages-check:
	@./.ci/packages $(CHECK_PACKAGES)

packages-bench:
	@./.ci/packages $(BENCH_PACKAGES)

# --- building -------------------------------------------------------------------------------------

$(UNSANITIZED): override SANITIZE :=

$(BUILD)/engine/%.o: engine/%.c
	@mkdir -p $(@D)
	$(CC) $(ENGINE_CFLAGS) $(SANITIZE) -c $< -o $@

$(BUILD)/tools/%.o: tools/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -D_GNU_SOURCE $(SANITIZE) -c $< -o $@

$(BUILD)/tests/objects/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests -Itests/scenario $(TEST_CFLAGS) $(SANITIZE) -c $< -o $@

$(BUILD)/tests/objects/loops/%.o: TEST_CFLAGS = $(shell $(PKG_CONFIG) --cflags libuv glib-2.0)

$(BUILD)/bench/%.o: bench/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -D_GNU_SOURCE -c $< -o $@

$(BUILD)/bench/collect_libuv.so: MODULE = libuv
$(BUILD)/bench/collect_glib.so: MODULE = gio-2.0
$(BENCH_PLUGINS): $(BUILD)/bench/%.so: bench/%.c bench/collect.h bench/harness.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -D_GNU_SOURCE $(shell $(PKG_CONFIG) --cflags libuv gio-2.0) -fPIC -shared -o $@ $< \
		$(shell $(PKG_CONFIG) --libs $(MODULE))

$(STATIC): $(ENGINE_OBJECTS)
	rm -f $@
	$(AR) rcs $@ $^

$(SHARED): $(ENGINE_OBJECTS) engine/libpidring.map
	$(CC) -shared $(SANITIZE) -Wl,-soname,libpidring.so.$(SOVERSION) -Wl,--version-script=engine/libpidring.map \
		-Wl,-z,now -Wl,-z,relro -Wl,-z,nodelete $(SHARED_CHECK) $(LDFLAGS) -o $@ $(ENGINE_OBJECTS) $(URING_LIBS) $(CAP_LIBS) -lpthread
	ln -sf libpidring.so.$(VERSION) $(BUILD)/libpidring.so.$(SOVERSION)
	ln -sf libpidring.so.$(SOVERSION) $(BUILD)/libpidring.so

# Always made anew: it depends on PREFIX, which may differ from one call to the next.
$(BUILD)/pidring.pc: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$(INCLUDEDIR)' '' \
		'Name: pidring' 'Description: Processes on clone3, pidfds and io_uring' 'Version: $(VERSION)' \
		'Requires.private: liburing libcap' 'Libs: -L$${libdir} -lpidring' 'Libs.private: -lpthread' \
		'Cflags: -I$${includedir}' > $@

# Tools start fast: no library to look up but libc, nothing bound lazily.
$(BUILD)/pidring-run: $(BUILD)/tools/pidring-run.o $(RUN_OBJECTS) $(STATIC)
	$(CC) $(SANITIZE) -Wl,-z,now $(LDFLAGS) -o $@ $^ $(ENGINE_STATIC) -lpthread

$(BUILD)/pidring-init: $(BUILD)/tools/pidring-init.o $(INIT_OBJECTS) $(STATIC)
	$(CC) $(SANITIZE) -Wl,-z,now -Wl,--gc-sections $(LDFLAGS) -o $@ $^ $(ENGINE_STATIC) -lpthread

# To be copied into any container: small, and with nothing beside it. Its objects are made for that. Two segments instead of
# four are two mappings less to make at each start.
STATIC_BUILD := $(BUILD)/static
$(BUILD)/pidring-init-static: FORCE
	@$(MAKE) --no-print-directory BUILD=$(STATIC_BUILD) OPTIMIZE=-Os CFLAGS='$(CFLAGS) -fno-asynchronous-unwind-tables' \
		$(STATIC_BUILD)/pidring-init-alone
	@cp -p $(STATIC_BUILD)/pidring-init-alone $@

$(BUILD)/pidring-init-alone: $(BUILD)/tools/pidring-init.o $(BUILD)/tools/alone.o $(INIT_OBJECTS) $(STATIC)
	$(CC) -static -Wl,--gc-sections -Wl,-z,noseparate-code -s $(LDFLAGS) -o $@ $^ $(ENGINE_STATIC) -lpthread

$(SCENARIOS): $(SCENARIO_OBJECTS) $(STATIC)
	$(CC) $(SANITIZE) $(VARIED) $(LDFLAGS) -o $@ $^ $(ENGINE_STATIC) -lpthread

$(LOADED): tests/loaded/loaded.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fPIC -shared $(LDFLAGS) -o $@ $<

$(LOOPS): $(LOOP_OBJECTS) $(STATIC)
	$(CC) $(SANITIZE) $(VARIED) $(LDFLAGS) -o $@ $^ $(ENGINE_STATIC) $(shell $(PKG_CONFIG) --libs libuv glib-2.0) -lpthread

$(EXCEPTIONS): tests/forkserver.except
	@mkdir -p $(@D)
	cp $< $@

$(DRIVER): tests/driver.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests -o $@ $< $(LDFLAGS) $(shell $(PKG_CONFIG) --libs criterion) -lpthread

$(BENCH_CHILDREN): $(BUILD)/bench/%: bench/%.c bench/raw.h
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -static -nostdlib -nostartfiles -ffreestanding -fno-stack-protector -o $@ $<

$(BENCH_SCRIPTS): $(BUILD)/bench/%: bench/%
	@mkdir -p $(@D)
	install -m 755 $< $@

$(BUILD)/bench/suite: $(BENCH_OBJECTS) $(STATIC) | $(BENCH_PLUGINS) $(BENCH_CHILDREN) $(BENCH_SCRIPTS)
	$(CC) $(LDFLAGS) -Wl,-z,now -rdynamic -o $@ $(BENCH_OBJECTS) $(STATIC) $(ENGINE_STATIC) -lpthread -lm

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# --- the two commands -----------------------------------------------------------------------------

run: packages-run
	@$(MAKE) --no-print-directory $(BUILD)/pidring-run
	@sh tools/demo.sh $(BUILD)/pidring-run

check: packages-check
	@$(MAKE) --no-print-directory build-check
	@$(MAKE) --no-print-directory test

build-check: all $(BUILD)/pidring-init-static $(TEST_PROGRAMS) $(DRIVER) $(EXCEPTIONS)

test:
	sh tests/library.sh $(BUILD) $(CC)
	sh tests/tools/matrix.sh $(BUILD)/pidring-run $(BUILD)/pidring-init $(BUILD)/pidring-init-static
	$(DRIVER) -j4

# --- under tools ----------------------------------------------------------------------------------

# Whole runs in a build of their own. The scenarios are run by themselves: the test framework's own workers do not work under
# these tools.
asan: packages-check
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' \
		OPTIMIZE=-O1 $(BUILD)/asan/tests/scenarios $(BUILD)/asan/tests/loops $(BUILD)/asan/tests/loaded.so
	PIDRING_TEST_SMALL=1 sh tests/sanitized.sh $(BUILD)/asan/tests tests/asan.except

tsan: packages-check
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan SANITIZE=-fsanitize=thread \
		OPTIMIZE=-O1 $(BUILD)/tsan/tests/scenarios $(BUILD)/tsan/tests/loaded.so
	PIDRING_TEST_SMALL=1 sh tests/sanitized.sh $(BUILD)/tsan/tests tests/tsan.except

valgrind: packages-check
	@$(MAKE) --no-print-directory $(SCENARIOS) $(LOADED)
	PIDRING_TEST_SMALL=1 sh tests/valgrind.sh $(SCENARIOS)

SOURCES = $(ENGINE) $(wildcard tools/*.c tests/*.c tests/*/*.c bench/*.c)
HEADERS = $(wildcard include/*.h engine/*.h engine/*/*.h tools/*.h tests/*/*.h bench/*.h)

format:
	clang-format -i $(SOURCES) $(HEADERS)

# cppcheck reads no system header by itself, and without this one takes the lists for syntax errors.
QUEUE_HEADER = $(shell $(CC) -M -D_GNU_SOURCE -Iinclude -Iengine engine/family.c | tr ' ' '\n' | grep 'sys/queue\.h$$')

lint:
	clang-format --dry-run -Werror $(SOURCES) $(HEADERS)
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppress=missingIncludeSystem -D_GNU_SOURCE -D__x86_64__ --include=$(QUEUE_HEADER) \
		-Iinclude -Iengine $(ENGINE) $(wildcard tools/*.c)
	clang-tidy --quiet --warnings-as-errors='*' $(ENGINE) $(wildcard tools/*.c) -- \
		-std=gnu11 -D_GNU_SOURCE -Iinclude -Iengine -Itools $(URING_CFLAGS)

bench: packages-bench
	@$(MAKE) --no-print-directory $(BUILD)/bench/suite $(BUILD)/pidring-run
	$(BUILD)/bench/suite --json $(BUILD)/bench/results.json --points $(BUILD)/bench/points.tsv
	gnuplot -c bench/plot.gp $(BUILD)/bench/points.tsv $(BUILD)/bench

# Beside tini, dumb-init and catatonit, as far as they are installed.
bench-init: $(BUILD)/pidring-init $(BUILD)/pidring-init-static $(BUILD)/bench/noop
	sh bench/init.sh $(BUILD)

plots:
	@mkdir -p bench/plots
	cp $(BUILD)/bench/first.svg $(BUILD)/bench/memory.svg bench/plots/

# --- installing -----------------------------------------------------------------------------------

install: all
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1
	install -m 644 include/pidring.h $(DESTDIR)$(INCLUDEDIR)
	install -m 644 $(STATIC) $(DESTDIR)$(LIBDIR)
	install -m 755 $(SHARED) $(DESTDIR)$(LIBDIR)
	ln -sf libpidring.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libpidring.so.$(SOVERSION)
	ln -sf libpidring.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libpidring.so
	install -m 644 $(BUILD)/pidring.pc $(DESTDIR)$(LIBDIR)/pkgconfig
	install -m 755 $(TOOLS) $(DESTDIR)$(BINDIR)
	install -m 644 $(wildcard tools/*.1) $(DESTDIR)$(MANDIR)/man1
	@# The loader finds a new library by its cache; a staged installation is somebody else's to finish.
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" -eq 0 ]; then ldconfig; fi

uninstall:
	rm -f $(DESTDIR)$(INCLUDEDIR)/pidring.h $(DESTDIR)$(LIBDIR)/libpidring.a \
		$(DESTDIR)$(LIBDIR)/libpidring.so $(DESTDIR)$(LIBDIR)/libpidring.so.$(SOVERSION) \
		$(DESTDIR)$(LIBDIR)/libpidring.so.$(VERSION) $(DESTDIR)$(LIBDIR)/pkgconfig/pidring.pc \
		$(addprefix $(DESTDIR)$(BINDIR)/,$(notdir $(TOOLS))) \
		$(addprefix $(DESTDIR)$(MANDIR)/man1/,$(notdir $(wildcard tools/*.1)))

clean:
	rm -rf $(BUILD)
