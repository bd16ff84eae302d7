/* library_that_is_gone.c - see stale_plugin.c */
int library_that_is_gone(void);
int library_that_is_gone(void)
{
    return 1;
}
