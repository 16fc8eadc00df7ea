/* SPDX-License-Identifier: MIT */
/* Choosing the backend, and what both have in common. */
#include "watch/watch.h"

#include "clock.h"
#include "sys/sys.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

static const struct watch_operations *const by_preference[] = { &watch_uring, &watch_epoll };

static bool is_wanted(const struct watch_operations *operations, enum pidring_backend wanted)
{
	return wanted == PIDRING_BACKEND_AUTOMATIC || wanted == operations->backend;
}

static void set_up(struct watch *watch, const struct watch_operations *operations, int kick,
                   size_t output_memory)
{
	watch->operations = operations;
	watch->kick = kick;
	watch->timer = -1;
	watch->alarm = watch->timer_set = INT64_MAX;
	watch->buffers.wanted = output_memory;
	STAILQ_INIT(&watch->buffers.free);
	TAILQ_INIT(&watch->reports);
	watch_looks_init(&watch->looks);
}

int watch_above_streams(int descriptor)
{
	return descriptor < 0 ? -errno : sys_above_streams(descriptor);
}

int watch_open(struct watch **ret_watch, enum pidring_backend wanted, size_t output_memory)
{
	int kick = watch_above_streams(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	int r = -ENOSYS;

	if (kick < 0)
		return kick;
	for (size_t i = 0; i < sizeof by_preference / sizeof by_preference[0]; i++) {
		if (!is_wanted(by_preference[i], wanted))
			continue;
		r = by_preference[i]->open(ret_watch, kick);
		if (r < 0)
			continue;
		set_up(*ret_watch, by_preference[i], kick, output_memory);
		return 0;
	}
	close(kick);
	return r;
}

static void close_descriptors(struct watch *watch)
{
	close(watch->kick);
	if (watch->timer >= 0)
		close(watch->timer);
}

void watch_close(struct watch *watch)
{
	close_descriptors(watch);
	watch->operations->close(watch);
	watch_free(watch);
}

void watch_abandon(struct watch *watch)
{
	close_descriptors(watch);
	watch->operations->abandon(watch);
}

void watch_free(struct watch *watch)
{
	watch_buffers_release(&watch->buffers);
	free(watch);
}

enum pidring_backend watch_backend(const struct watch *watch)
{
	return watch->operations->backend;
}

struct watch_abilities watch_abilities(const struct watch *watch)
{
	return watch->operations->abilities(watch);
}

struct watch_counts watch_counts(const struct watch *watch)
{
	return watch->counts;
}

int watch_arm(struct watch *watch, struct watch_item *item)
{
	item->forgotten = false;
	if (item->reads) {
		int r = watch_buffers_make(&watch->buffers);
		if (r < 0)
			return r;
	}
	int r = watch->operations->arm(watch, item);
	item->armed = r == 0;
	return r;
}

int watch_change(struct watch *watch, struct watch_item *item)
{
	/* What is over and waits to be reported will be armed anew by whoever takes the report. */
	return item->armed ? watch->operations->change(watch, item) : 0;
}

bool watch_disarm(struct watch *watch, struct watch_item *item)
{
	if (item->is_looked_at)
		watch_looks_remove(&watch->looks, item);
	else if (!watch->operations->disarm(watch, item))
		return false;
	item->armed = false;
	item->result = -ECANCELED;
	/* Bytes that were read, and wait to be taken, come first. */
	return !item->is_reported;
}

/* --- reports --- */

void watch_report(struct watch *watch, struct watch_item *item)
{
	if (item->is_reported)
		return;
	item->is_reported = true;
	TAILQ_INSERT_TAIL(&watch->reports, item, report_link);
	watch->report_count++;
}

void watch_end(struct watch *watch, struct watch_item *item, int result)
{
	item->armed = false;
	item->result = result;
	watch_report(watch, item);
}

void watch_append(struct watch *watch, struct watch_item *item, struct watch_chunk *chunk, size_t length)
{
	chunk->length = length;
	STAILQ_INSERT_TAIL(&item->chunks, chunk, link);
	watch->counts.bytes += length;
	watch_report(watch, item);
}

bool watch_read(struct watch *watch, struct watch_item *item)
{
	struct watch_chunk *chunk = watch_buffers_take(&watch->buffers);
	ssize_t length;

	if (!chunk) {
		watch->counts.shortages++;
		return false;
	}
	do
		length = read(item->descriptor, chunk->bytes, WATCH_BUFFER_SIZE);
	while (length < 0 && errno == EINTR);
	if (length > 0) {
		watch->counts.call_reads++;
		watch_append(watch, item, chunk, (size_t)length);
		return true;
	}
	int error = length < 0 ? errno : 0;
	watch_release_chunk(watch, chunk);
	if (error != EAGAIN)
		watch_end(watch, item, -error);
	return false;
}

static int take_reports(struct watch *watch, struct watch_item **ret_items, size_t capacity)
{
	size_t count = 0;

	while (count < capacity && !TAILQ_EMPTY(&watch->reports)) {
		struct watch_item *item = TAILQ_FIRST(&watch->reports);

		TAILQ_REMOVE(&watch->reports, item, report_link);
		watch->report_count--;
		ret_items[count++] = item;
	}
	return (int)count;
}

/* --- waiting --- */

static int64_t next_moment(const struct watch *watch)
{
	return watch->alarm < watch->looks.next ? watch->alarm : watch->looks.next;
}

/* For another loop, which waits by itself. */
static void set_timer(struct watch *watch)
{
	int64_t moment = next_moment(watch);
	struct itimerspec setting = { 0 };

	if (watch->timer < 0 || moment == watch->timer_set)
		return;
	watch->timer_set = moment;
	if (moment < INT64_MAX) {
		setting.it_value.tv_sec = moment / CLOCK_SECOND;
		setting.it_value.tv_nsec = moment % CLOCK_SECOND;
		/* All zero would unset it. */
		if (moment <= 0)
			setting.it_value.tv_nsec = 1;
	}
	timerfd_settime(watch->timer, TFD_TIMER_ABSTIME, &setting, NULL);
}

void watch_set_alarm(struct watch *watch, int64_t moment)
{
	watch->alarm = moment;
	set_timer(watch);
}

static int64_t shorten(const struct watch *watch, int64_t timeout)
{
	int64_t moment = next_moment(watch);

	if (!TAILQ_EMPTY(&watch->reports))
		return 0;
	if (moment == INT64_MAX)
		return timeout;
	int64_t remaining = moment <= 0 ? 0 : clock_remaining(moment);
	return remaining < timeout ? remaining : timeout;
}

int watch_wait(struct watch *watch, struct watch_item **ret_items, size_t capacity, int64_t timeout,
               const struct watch_interruption *interruption)
{
	int cancelability;

	/* A thread that is cancelled in there would leave the engine taken for ever. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelability);
	int r = watch->operations->wait(watch, shorten(watch, timeout), interruption);
	watch_looks_run(watch);
	pthread_setcancelstate(cancelability, NULL);
	/* Reports are not lost by an error: they stay for the next call. */
	return r < 0 ? r : take_reports(watch, ret_items, capacity);
}

static int add_timer(struct watch *watch, int descriptor)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &watch->timer };

	if (watch->timer >= 0)
		return 0;
	int timer = watch_above_streams(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
	if (timer < 0)
		return timer;
	if (epoll_ctl(descriptor, EPOLL_CTL_ADD, timer, &event) < 0) {
		int r = -errno;
		close(timer);
		return r;
	}
	watch->timer = timer;
	watch->timer_set = INT64_MAX;
	return 0;
}

int watch_descriptor(struct watch *watch)
{
	int descriptor = watch->operations->descriptor(watch);
	int r = descriptor < 0 ? descriptor : add_timer(watch, descriptor);

	return r < 0 ? r : descriptor;
}

bool watch_wants_look(const struct watch *watch)
{
	return !TAILQ_EMPTY(&watch->reports) || watch->operations->wants_look(watch);
}

void watch_kick(struct watch *watch)
{
	/* Fails only when the counter is full, and then it is readable already. */
	eventfd_write(watch->kick, 1);
}

void watch_take_kick(struct watch *watch)
{
	eventfd_t value;

	eventfd_read(watch->kick, &value);
}
