/* stale_plugin.c - a plugin that knows no version it is asked for; linked to a library that is not there when it is
 * opened, unless STALE_ALONE is defined. For test_finding.py. */
struct backend;
int library_that_is_gone(void);
const struct backend *antler_cuda_backend(int version);
const struct backend *antler_cuda_backend(int version)
{
    (void)version;
#if !defined(STALE_ALONE)
    library_that_is_gone();
#endif
    return 0;
}
