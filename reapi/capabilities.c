#include "reapi/client_impl.h"

#include "base/clock.h"
#include "base/str.h"

#define PROBE_NS   ((int64_t)5 * 1000000000)
#define REFUSED_NS ((int64_t)10 * 1000000000) /* a refusal is believed so long */

typedef WB_RE(ServerCapabilities) server_capabilities;
typedef WB_RE(DigestFunction__Value) digest_function;

#define SHA256 BUILD__BAZEL__REMOTE__EXECUTION__V2__DIGEST_FUNCTION__VALUE__SHA256

int64_t wb_reapi_batch_max(const struct wb_reapi_capabilities *caps)
{
	bool said = caps->max_batch_bytes > 0 && caps->max_batch_bytes < WB_REAPI_BATCH_MAX;
	return said ? caps->max_batch_bytes : WB_REAPI_BATCH_MAX;
}

static bool has(const int *list, size_t n, int value)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == value)
			return true;
	return false;
}

static wb_status check_digests(const digest_function *list, size_t n, const char *at, struct wb_err *err)
{
	if (n == 0 || has((const int *)list, n, SHA256))
		return wb_ok();
	struct wb_buf names = WB_BUF_INIT;
	for (size_t i = 0; i < n && i < 16; i++) {
		const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(
		    &build__bazel__remote__execution__v2__digest_function__value__descriptor, (int)list[i]);
		wb_buf_addf(&names, "%s%s", i > 0 ? ", " : "", v == NULL ? "unknown" : v->name);
	}
	wb_status s =
	    wb_fail(err, WB_EREFUSED,
		    "%s: the server knows blobs by %s only, and Waybill by SHA256: let it offer SHA256", at, names.p);
	wb_buf_release(&names);
	return s;
}

/* What one endpoint says, checked. */
static wb_status check(const server_capabilities *m, const char *at, struct wb_err *err)
{
	const Build__Bazel__Semver__SemVer *low = m->low_api_version, *high = m->high_api_version;
	if ((low != NULL && low->major > 2) || (high != NULL && high->major < 2))
		return wb_fail(err, WB_EREFUSED,
			       "%s: the server speaks Remote Execution API %d.%d to %d.%d, and Waybill 2.x", at,
			       low == NULL ? 0 : low->major, low == NULL ? 0 : low->minor,
			       high == NULL ? 0 : high->major, high == NULL ? 0 : high->minor);
	const WB_RE(CacheCapabilities) *cache = m->cache_capabilities;
	if (cache != NULL)
		WB_TRY(check_digests(cache->digest_functions, cache->n_digest_functions, at, err));
	const WB_RE(ExecutionCapabilities) *exec = m->execution_capabilities;
	if (exec != NULL && exec->exec_enabled && exec->digest_function != SHA256) {
		if (exec->n_digest_functions > 0)
			WB_TRY(check_digests(exec->digest_functions, exec->n_digest_functions, at, err));
		else if (exec->digest_function != 0)
			WB_TRY(check_digests(&exec->digest_function, 1, at, err));
	}
	return wb_ok();
}

static void merge(struct wb_reapi_capabilities *out, const struct wb_reapi *c, const struct wb_channel *channel,
		  const server_capabilities *m)
{
	if (m->low_api_version != NULL) {
		out->low_major = m->low_api_version->major;
		out->low_minor = m->low_api_version->minor;
	}
	if (m->high_api_version != NULL) {
		out->high_major = m->high_api_version->major;
		out->high_minor = m->high_api_version->minor;
	}
	if (channel == c->channel[WB_REAPI_EXEC])
		out->exec = m->execution_capabilities != NULL && m->execution_capabilities->exec_enabled;
	const WB_RE(CacheCapabilities) *cache = m->cache_capabilities;
	if (cache == NULL)
		return;
	if (channel == c->channel[WB_REAPI_CACHE])
		out->update = cache->action_cache_update_capabilities != NULL &&
			      cache->action_cache_update_capabilities->update_enabled;
	if (channel != c->channel[WB_REAPI_CAS])
		return;
	out->sha256 = true; /* or check() would have refused */
	out->max_batch_bytes = cache->max_batch_total_size_bytes > 0 ? cache->max_batch_total_size_bytes : 0;
	out->max_blob_bytes = cache->max_cas_blob_size_bytes > 0 ? cache->max_cas_blob_size_bytes : 0;
	out->zstd_stream = has((const int *)cache->supported_compressors, cache->n_supported_compressors, WB_RE_ZSTD);
	out->zstd_batch = has((const int *)cache->supported_batch_update_compressors,
			      cache->n_supported_batch_update_compressors, WB_RE_ZSTD);
}

/* Ask every endpoint. One that does not know the question is taken as it comes. */
static wb_status ask(struct wb_reapi_capabilities *out, struct wb_reapi *c, const atomic_bool *cancel, bool quiet,
		     struct wb_err *err)
{
	static const char method[] = WB_RE_METHOD("Capabilities/GetCapabilities");
	struct wb_arena a;
	wb_status s = wb_ok();
	*out = (struct wb_reapi_capabilities){.update = true, .sha256 = true};
	wb_arena_init(&a);
	for (size_t i = 0; i < c->nown && wb_is_ok(s); i++) {
		struct wb_reapi_job job = {.cancel = cancel};
		struct wb_reapi_try t;
		struct wb_call_options o;
		WB_RE(GetCapabilitiesRequest) m;
		WB_RE_INIT(get_capabilities_request, &m);
		m.instance_name = c->instance;
		int64_t budget = quiet && c->rpc_timeout_ns > PROBE_NS ? PROBE_NS : c->rpc_timeout_ns;
		ProtobufCMessage *reply = NULL;
		s = wb_reapi_try_init(&t, &a, c, &job, WB_REAPI_CAS, method, budget, err);
		t.channel = c->own[i];
		t.quiet = quiet;
		if (!wb_is_ok(s))
			break;
		do {
			s = wb_reapi_try_begin(&o, &t, err);
			if (wb_is_ok(s))
				s = wb_call_unary(&reply, &a, t.channel, method, &m.base,
						  WB_RE_TYPE(server_capabilities), &o, &t.st, err);
			else
				break;
		} while (wb_reapi_try_again(&t, &s, err));
		if (s.code == WB_EREFUSED && t.st.code == WB_RPC_UNIMPLEMENTED && c->nown > 1) {
			s = wb_ok();
			if (t.channel == c->channel[WB_REAPI_EXEC])
				out->exec = true;
			continue;
		}
		if (s.code == WB_ENOENT) /* how some say that the instance is unknown */
			s = (wb_status){WB_EREFUSED};
		if (wb_is_ok(s))
			s = check((const server_capabilities *)reply, wb_channel_name(t.channel), err);
		if (wb_is_ok(s))
			merge(out, c, t.channel, (const server_capabilities *)reply);
	}
	wb_arena_release(&a);
	return s;
}

/* With the lock. */
static void keep(struct wb_reapi_known *k, wb_status s, const struct wb_reapi_capabilities *caps,
		 const struct wb_err *err)
{
	k->known = wb_is_ok(s);
	k->status = s;
	if (k->known)
		k->caps = *caps;
	else
		k->err = *err;
	k->refused_until_ns = s.code == WB_EREFUSED ? wb_clock_ns() + REFUSED_NS : 0;
}

wb_status wb_reapi_need(struct wb_reapi_capabilities *out, struct wb_reapi *c, const atomic_bool *cancel,
			struct wb_err *err)
{
	struct wb_reapi_known *k = &c->known;
	struct wb_err text = WB_ERR_INIT;
	wb_status s;
	pthread_mutex_lock(&k->lock);
	for (;;) {
		if (k->known) {
			*out = k->caps;
			s = wb_ok();
			goto done;
		}
		if (wb_clock_ns() < k->refused_until_ns)
			goto failed;
		if (!k->asking)
			break;
		unsigned before = k->asked;
		while (k->asked == before && !wb_canceled(cancel))
			wb_cond_wait(&k->answered, &k->lock, WB_CANCEL_POLL_NS);
		if (wb_canceled(cancel)) {
			s = wb_fail(err, WB_ECANCELED, "%s: canceled before it said what it offers", c->name);
			goto done;
		}
		if (!k->known && k->status.code != WB_ECANCELED)
			goto failed; /* the same question would only fail again, one waiting job after the other */
	}
	k->asking = true;
	pthread_mutex_unlock(&k->lock);
	s = ask(out, c, cancel, false, &text);
	pthread_mutex_lock(&k->lock);
	k->asking = false;
	k->asked++;
	keep(k, s, out, &text);
	pthread_cond_broadcast(&k->answered);
	if (wb_is_ok(s))
		goto done;
failed:
	s = wb_fail(err, k->status.code, "%s", k->err.text);
done:
	pthread_mutex_unlock(&k->lock);
	return s;
}

wb_status wb_reapi_probe(void *client, const atomic_bool *stop, struct wb_err *err)
{
	struct wb_reapi *c = client;
	struct wb_reapi_capabilities caps;
	wb_status s = ask(&caps, c, stop, true, err);
	if (s.code == WB_EUNAVAILABLE || s.code == WB_ECANCELED)
		return s;
	/* Who comes back may have lost its blobs. */
	wb_presence_forget_all(&c->presence);
	pthread_mutex_lock(&c->known.lock);
	keep(&c->known, s, &caps, err);
	pthread_mutex_unlock(&c->known.lock);
	return s;
}

wb_status wb_reapi_capabilities(struct wb_reapi_capabilities *out, struct wb_reapi *c, struct wb_err *err)
{
	return wb_reapi_need(out, c, NULL, err);
}
