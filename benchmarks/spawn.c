/* spawn ROUNDS COMMAND... [-- COMMAND...]...: start each command once a round, in turn, and print a line for each: the
 * median, the lower quartile and the 90th percentile of the time from before the start to after the end, in
 * microseconds. Taking turns spreads what else the machine does over all of them. Output of the commands is thrown
 * away. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum { COMMANDS = 16 };

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv, char **env)
{
	char **command[COMMANDS];
	double *time[COMMANDS];
	posix_spawn_file_actions_t to_null;
	int rounds = argc > 1 ? atoi(argv[1]) : 0, n = 0, start = 2;

	if (rounds < 1 || argc < 3) {
		fprintf(stderr, "usage: spawn ROUNDS COMMAND... [-- COMMAND...]...\n");
		return 2;
	}
	for (int i = 2; i <= argc && n < COMMANDS; i++)
		if (i == argc || strcmp(argv[i], "--") == 0) {
			argv[i] = NULL;
			command[n] = argv + start;
			time[n++] = calloc((size_t)rounds, sizeof(double));
			start = i + 1;
		}
	posix_spawn_file_actions_init(&to_null);
	posix_spawn_file_actions_addopen(&to_null, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&to_null, 2, "/dev/null", O_WRONLY, 0);
	for (int r = -2; r < rounds; r++) /* the first two are for warming up */
		for (int c = 0; c < n; c++) {
			double begin = now_us();
			int status;
			pid_t pid;

			if (posix_spawnp(&pid, command[c][0], &to_null, NULL, command[c], env) != 0 ||
			    waitpid(pid, &status, 0) != pid || status != 0) {
				fprintf(stderr, "spawn: %s failed\n", command[c][0]);
				return 1;
			}
			if (r >= 0)
				time[c][r] = now_us() - begin;
		}
	for (int c = 0; c < n; c++) {
		qsort(time[c], (size_t)rounds, sizeof(double), order);
		printf("%.1f %.1f %.1f\n", time[c][rounds / 2], time[c][rounds / 4], time[c][rounds * 9 / 10]);
	}
	return 0;
}
