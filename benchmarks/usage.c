/* usage FILE COMMAND...: run the command to its end and write what it took to FILE, as JSON: its exit code (of a
 * signal, 128 and more), seconds of CPU with those of its children, seconds of the clock, KiB of memory at most.
 *
 * For measuring from a big process: execve(2) hands on the peak memory of what it replaces, vfork(2) or not, so a child
 * of a Python program of 500 MiB seems to have needed 500 MiB itself. This process is small. */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv, char **env)
{
	struct rusage used;
	int status, error;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: usage FILE COMMAND...\n");
		return 2;
	}
	double begin = now();
	if ((error = posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, env)) != 0) {
		fprintf(stderr, "usage: %s: %s\n", argv[2], strerror(error));
		return 127;
	}
	if (wait4(pid, &status, 0, &used) != pid)
		return 127;
	double wall = now() - begin;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	FILE *f = fopen(argv[1], "w");
	if (!f) {
		perror(argv[1]);
		return 127;
	}
	fprintf(f, "{\"code\": %d, \"cpu\": %.6f, \"wall\": %.6f, \"kib\": %ld}\n", code,
		seconds(used.ru_utime) + seconds(used.ru_stime), wall, used.ru_maxrss);
	return fclose(f) == 0 ? code : 127;
}
