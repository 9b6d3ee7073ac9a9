import { ref } from "vue";

/** True once an answer was 401: the page then asks for a key. */
export const loggedOut = ref(false);

/** Note that the API wants a login. */
export function reportLoggedOut(): void {
  loggedOut.value = true;
}

/** Note that a login worked. */
export function reportLoggedIn(): void {
  loggedOut.value = false;
}
